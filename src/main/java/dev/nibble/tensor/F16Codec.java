package dev.nibble.tensor;

/** IEEE 754 binary16, little-endian; halves round to even. */
final class F16Codec implements BlockEncoder {
  @Override
  public TensorFormat format() {
    return TensorFormat.F16;
  }

  @Override
  public int blockBytes() {
    return Half.BYTES;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    out[to] = Half.get(in, at);
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    Half.putScale(out, to, weights[at], weights, at, TensorFormat.F16);
  }
}
