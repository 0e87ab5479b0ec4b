package dev.nibble.tensor;

/** Decodes by taking blocks apart: a weight is the float scale of its 16 times its integer. */
abstract class IntegerBlocks implements IntegerCodec {
  private final TensorFormat format;
  private final int blockBytes;
  private final IntegerRow block; // scratch

  /** @param blockBytes sum of the block's parts */
  IntegerBlocks(TensorFormat format, int blockBytes) {
    this.format = format;
    this.blockBytes = blockBytes;
    block = new IntegerRow(format.blockSize());
  }

  @Override
  public final TensorFormat format() {
    return format;
  }

  @Override
  public final int blockBytes() {
    return blockBytes;
  }

  @Override
  public final void decodeBlock(byte[] in, int at, float[] out, int to) {
    split(in, at, block, 0);
    for (int group = 0; group < block.factors.length; group++) {
      float scale = scale(in, at, group);
      int first = group * IntegerRow.FACTOR_WEIGHTS;
      for (int i = first; i < first + IntegerRow.FACTOR_WEIGHTS; i++) {
        out[to + i] = scale * block.weights[i];
      }
    }
  }

  /** Scale of a group of 16 weights of the block that was taken apart last; formats with scales that are no binary16 numbers tell it themselves. */
  float scale(byte[] in, int at, int group) {
    return Half.toFloat(block.scales[group / 2]) * block.factors[group];
  }
}
