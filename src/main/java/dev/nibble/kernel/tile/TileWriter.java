package dev.nibble.kernel.tile;

import dev.nibble.tensor.Half;
import dev.nibble.tensor.TensorFormat;

/** Arranges 16 rows of one format as a tile. Each worker has its own, with its own scratch memory. */
public abstract sealed class TileWriter permits Int4TileWriter, AffineTileWriter, Q80TileWriter, IntegerTileWriter, HalfTileWriter, FloatTileWriter {
  private final int[] tile;

  TileWriter(TileLayout layout, int columns) {
    tile = new int[Math.toIntExact(layout.tileBytes(columns) / Integer.BYTES)];
  }

  /** A writer of the layout that a format is mapped to. @throws IllegalArgumentException if there is none, or rows are not whole blocks */
  public static TileWriter of(TensorFormat format, int columns) {
    format.bytes(columns);
    TileLayout layout = TileMapping.require(format);
    return switch (layout) {
      case INT4_SYMMETRIC -> new Int4TileWriter(columns);
      case INT4_AFFINE -> new AffineTileWriter(format, columns);
      case INT8_SYMMETRIC, INT6_FACTORED -> format == TensorFormat.Q8_0 ? new Q80TileWriter(columns) : new IntegerTileWriter(format, layout, columns);
      case HALF, BFLOAT -> new HalfTileWriter(layout, columns);
      case FLOAT -> new FloatTileWriter(columns);
    };
  }

  /** The tile, after {@link #write}: its bytes are these ints, little-endian. */
  public final int[] tile() {
    return tile;
  }

  /**
   * Makes {@link #tile} of 16 rows.
   *
   * @param rows the rows' bytes one after the other, zeros where the matrix has no more rows
   * @param first number of the first row, for messages
   * @throws IllegalArgumentException for a weight or scale that is not finite
   */
  public abstract void write(byte[] rows, long first);

  /** Checks that a scale is finite: a product with infinity would be NaN in one kernel and large in another. @param block of the file's format */
  static short finite(short scale, long row, int block) {
    return finite(scale, "scale", row, block);
  }

  /** As above. @param what the number is, for the message */
  static short finite(short number, String what, long row, int block) {
    if (!Half.isFinite(number)) {
      throw new IllegalArgumentException("the " + what + " of row " + row + ", block " + block + " is not finite");
    }
    return number;
  }
}
