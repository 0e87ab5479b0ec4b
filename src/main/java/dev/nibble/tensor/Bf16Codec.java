package dev.nibble.tensor;

/** bfloat16, little-endian: the upper half of a binary32; halves round to even. */
final class Bf16Codec implements BlockEncoder {
  @Override
  public TensorFormat format() {
    return TensorFormat.BF16;
  }

  @Override
  public int blockBytes() {
    return Half.BYTES;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    out[to] = Float.intBitsToFloat(Half.bits(in, at) << 16);
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int bits = Float.floatToRawIntBits(weights[at]);
    // Half a unit of the last kept bit, less one when that bit is even: ties go to even.
    int rounded = bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    if (!Float.isFinite(Float.intBitsToFloat(rounded << 16))) {
      throw new UnrepresentableWeightException(at, weights[at], TensorFormat.BF16);
    }
    Half.put(out, to, (short) rounded);
  }
}
