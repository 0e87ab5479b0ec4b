package dev.nibble.kernel.tile;

import dev.nibble.tensor.BlockCodec;
import dev.nibble.tensor.BlockEncoder;
import dev.nibble.tensor.IntegerCodec;
import dev.nibble.tensor.IntegerRow;
import dev.nibble.tensor.TensorFormat;

/** Makes integers of weights that are none: they are rounded to 8 bits, as Q8_0 has them. */
final class RoundingCodec implements IntegerCodec {
  private final BlockCodec codec;
  private final BlockEncoder rounded = TensorFormat.Q8_0.encoder();
  private final IntegerCodec parts = (IntegerCodec) TensorFormat.Q8_0.codec();
  private final float[] weights;
  private final byte[] block = new byte[TensorFormat.Q8_0.blockBytes()];

  private RoundingCodec(BlockCodec codec) {
    this.codec = codec;
    weights = new float[codec.format().blockSize()];
  }

  /** The format's own codec where its weights are integers, else one that rounds. */
  static IntegerCodec of(TensorFormat format) {
    BlockCodec codec = format.codec();
    return codec instanceof IntegerCodec integers ? integers : new RoundingCodec(codec);
  }

  @Override
  public TensorFormat format() {
    return codec.format();
  }

  @Override
  public int blockBytes() {
    return codec.blockBytes();
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    codec.decodeBlock(in, at, out, to);
  }

  /** @throws dev.nibble.tensor.UnrepresentableWeightException for a weight that is not finite, or too large; its index is that in the block */
  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    codec.decodeBlock(in, at, weights, 0);
    for (int i = 0; i < weights.length; i += TensorFormat.Q8_0.blockSize()) {
      rounded.encode(weights, i, TensorFormat.Q8_0.blockSize(), block, 0);
      parts.split(block, 0, row, first + i);
    }
  }
}
