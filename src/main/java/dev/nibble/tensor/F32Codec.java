package dev.nibble.tensor;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;

/** IEEE 754 binary32, little-endian. */
final class F32Codec implements BlockEncoder {
  @Override
  public TensorFormat format() {
    return TensorFormat.F32;
  }

  @Override
  public int blockBytes() {
    return Float.BYTES;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    decode(in, at, out, to, 1);
  }

  @Override
  public void decode(byte[] in, int from, float[] out, int outFrom, int count) {
    Objects.checkFromIndexSize(from, Math.multiplyExact(count, Float.BYTES), in.length);
    ByteBuffer.wrap(in, from, count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(out, outFrom, count);
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int bits = Float.floatToRawIntBits(weights[at]);
    for (int i = 0; i < Float.BYTES; i++) {
      out[to + i] = (byte) (bits >> 8 * i);
    }
  }
}
