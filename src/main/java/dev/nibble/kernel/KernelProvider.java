package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;

/**
 * Code for all that is computed in hot loops: products over the layouts of tiles, attention's pages, element-wise steps, and rounding of inputs. All providers
 * give the same bits; {@link Kernels} chooses one for the process. Nothing is checked here: who calls has checked ranges ({@link TiledMatrix}, {@link PageKernels},
 * {@link Activations}).
 *
 * <p>A call is a range of tiles, a page, or a row, never an element: the loops are in classes of static methods, which need not be inlined.
 */
public abstract sealed class KernelProvider permits ScalarKernels, VectorKernels {
  /** Tiles that products take together when there is one vector: work is shared out in so many, so that none is computed twice but at a matrix' end. */
  static final int TILES = 4;
  /** What {@link #read} takes at a time: pages in order, long enough for the processor to fetch ahead. */
  static final int PIECE_BYTES = 1 << 20;

  private final String name;
  private final int vectorBits;

  KernelProvider(String name, int vectorBits) {
    this.name = name;
    this.vectorBits = vectorBits;
  }

  /** Bits of its vectors; 0 for plain Java. */
  public final int vectorBits() {
    return vectorBits;
  }

  /** Whether it computes by vectors: plain loops are many times slower. */
  public final boolean vectors() {
    return vectorBits > 0;
  }

  /** Its name, such as VECTOR_256. */
  @Override
  public final String toString() {
    return name;
  }

  /**
   * Products of {@link dev.nibble.kernel.tile.Int4Tile}: {@code out[token × stride + row]} of the rows of some tiles, for all tokens.
   *
   * @param affine whether tiles have minimums
   * @param blocks of a row
   * @param from first tile
   * @param to one past the last tile
   * @param panel scratch memory of the calling thread
   */
  abstract void int4(
      MemorySegment data, long tileBytes, boolean affine, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to, Panel panel);

  /** Products of {@link dev.nibble.kernel.tile.Int8Tile}, as {@link #int4}. @param sixBits whether they are INT6_FACTORED */
  abstract void int8(MemorySegment data, long tileBytes, boolean sixBits, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to);

  /** Products of {@link dev.nibble.kernel.tile.HalfTile}, as {@link #int4}. @param brain whether they are bfloat16 */
  abstract void half(MemorySegment data, long tileBytes, boolean brain, int columns, Activations x, int tokens, float[] out, int stride, int from, int to);

  /** Products of {@link dev.nibble.kernel.tile.TileLayout#FLOAT}, as {@link #int4}. */
  abstract void floats(MemorySegment data, long tileBytes, int columns, Activations x, int tokens, float[] out, int stride, int from, int to);

  /** See {@link PageKernels#unpack}. @param scales scratch memory for a page's groups, as zeros is */
  abstract void unpack(PageLayout layout, int[] page, int at, float[] scales, float[] zeros, float[] out);

  /** See {@link PageKernels#score}. */
  abstract void score(float[] queries, int at, int stride, int rows, int width, float[] keys, int keysAt, float[] out, int outAt);

  /** Largest of a page's scores. @param partials scratch memory of {@link FloatMath#PARTIALS} numbers */
  abstract float maximum(float[] scores, int at, float[] partials);

  /** A page's scores become e^(score - most). */
  abstract void exponentials(float[] scores, int at, float most);

  /** Sum of a page's weights, by a fixed tree. @param partials scratch memory of {@link FloatMath#PARTIALS} numbers */
  abstract float sum(float[] weights, int at, float[] partials);

  /** See {@link PageKernels#blend}. */
  abstract void blend(
      float[] weights, int at, int rows, int from, int to, float[] values, int valuesAt, int width, float[] factors, int factorsAt, float[] out, int outAt);

  /** See {@link Elementwise#rmsNorm}. */
  abstract void rmsNorm(float[] x, int from, float[] weight, float epsilon, float[] out, int to);

  /** See {@link Elementwise#addThenNorm}. */
  abstract void addThenNorm(float[] x, int from, float[] added, int addedFrom, float[] weight, float epsilon, float[] out, int to);

  /** See {@link Elementwise#add}. */
  abstract void add(float[] x, int from, float[] added, int addedFrom, int count);

  /** See {@link Elementwise#gatedSilu}. */
  abstract void gatedSilu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to);

  /** See {@link Elementwise#gatedGelu}. */
  abstract void gatedGelu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to);

  /** See {@link Elementwise#softcap}. */
  abstract void softcap(float[] x, int from, int count, float cap);

  /** See {@link Elementwise#rotateAdjacent}. */
  abstract void rotateAdjacent(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table);

  /** See {@link Elementwise#rotateHalves}. */
  abstract void rotateHalves(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table);

  /** Rounds blocks {@code from} to {@code to - 1}, counted through all tokens, to int8, and keeps what integer products read of them. */
  abstract void quantize(Activations x, int from, int to);

  /** Sum of all ints of some pieces of {@link #PIECE_BYTES}. */
  abstract int read(MemorySegment memory, int from, int to);
}
