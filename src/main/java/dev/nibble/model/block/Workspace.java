package dev.nibble.model.block;

import dev.nibble.kernel.Activations;
import dev.nibble.kernel.Elementwise;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.PagedAttention;
import dev.nibble.model.spec.DecoderSpec;
import java.util.List;

/**
 * Scratch memory of one forward pass, allocated once, and the steps that blocks share out to workers. Rows are tokens; strides are widths rounded up to whole
 * tiles. Used by one pass at a time.
 */
public final class Workspace {
  /** Columns of an activation that a worker takes at a time when there is one token only: about a microsecond. */
  private static final int ACTIVATED_COLUMNS = 1024;
  /** Bytes of logits computed together: weights are read once for all of them. */
  private static final int LOGITS_BYTES = 8 << 20;
  private static final int MAX_LOGITS_ROWS = 64;

  private final int capacity;
  private final int width;
  final Products products;
  final WorkerPool pool;
  final Elementwise elementwise;
  final PagedAttention pagedAttention;
  final RotaryTable[] rotations;

  final Activations normed; // [capacity][width], input of attention, feed-forward and head
  final Activations attended; // [capacity][heads × head width]
  final Activations activated; // [capacity][hidden]
  final float[] residual; // [capacity][width]
  final int queryStride;
  final int keyValueStride;
  final int hiddenStride;
  final int widthStride;
  final float[] query; // [capacity][queryStride]
  final float[] key; // [capacity][keyValueStride]
  final float[] value; // [capacity][keyValueStride]
  final float[] gate; // [capacity][hiddenStride]
  final float[] up; // [capacity][hiddenStride]
  final float[] projected; // [capacity][widthStride]
  private final int vocabulary;
  private final int logitsStride;
  private final int logitsRows;
  private float[] logits; // [1, or logitsRows once more than one was asked for][logitsStride]
  /** What the pass under way computes. */
  public final Slices slices = new Slices();

  private final NormalizeStep normalize = new NormalizeStep();
  private final AddThenNormalizeStep addThenNormalize = new AddThenNormalizeStep();
  private final QuantizeAttendedStep quantizeAttended = new QuantizeAttendedStep();
  private final ActivateStep activate = new ActivateStep();
  private final ActivateColumnsStep activateColumns = new ActivateColumnsStep();
  final RotateStep rotate = new RotateStep();

  /**
   * Memory for passes.
   *
   * @param capacity most tokens of a pass
   * @param rotations one for each of {@link DecoderSpec#positions}
   */
  public Workspace(DecoderSpec spec, int capacity, Products products, PagedAttention pagedAttention, List<RotaryTable> rotations) {
    this.capacity = capacity;
    this.products = products;
    this.pagedAttention = pagedAttention;
    this.rotations = rotations.toArray(RotaryTable[]::new);
    pool = products.pool();
    elementwise = new Elementwise(products.kernels());
    width = spec.width();
    widthStride = TiledMatrix.padded(width);
    queryStride = TiledMatrix.padded(spec.maxQueryWidth());
    keyValueStride = TiledMatrix.padded(spec.keyValueWidth());
    hiddenStride = TiledMatrix.padded(spec.maxHidden());
    normed = new Activations(capacity, width);
    attended = new Activations(capacity, spec.maxQueryWidth());
    activated = new Activations(capacity, spec.maxHidden());
    residual = new float[capacity * width];
    query = new float[capacity * queryStride];
    key = new float[capacity * keyValueStride];
    value = new float[capacity * keyValueStride];
    gate = new float[capacity * hiddenStride];
    up = new float[capacity * hiddenStride];
    projected = new float[capacity * widthStride];
    vocabulary = spec.vocabulary();
    logitsStride = TiledMatrix.padded(vocabulary);
    logitsRows = Math.clamp(LOGITS_BYTES / (Float.BYTES * logitsStride), 1, Math.min(MAX_LOGITS_ROWS, capacity));
    logits = new float[logitsStride];
  }

  /** Most tokens of a pass. */
  public int capacity() {
    return capacity;
  }

  /** Begins a row: its token's vector, and the angles of its place. */
  public void embed(int row, TiledMatrix embedding, int id, float scale, int position) {
    embedding.row(id, residual, row * width);
    if (scale != 1) {
      for (int i = row * width; i < (row + 1) * width; i++) {
        residual[i] *= scale;
      }
    }
    for (RotaryTable table : rotations) {
      table.fill(row, position);
    }
  }

  /** Makes a row the input of what follows, whose attention is computed: it takes the place of an earlier row. */
  public void move(int row, int to) {
    System.arraycopy(residual, row * width, residual, to * width, width);
    System.arraycopy(attended.values(), row * attended.stride(), attended.values(), to * attended.stride(), attended.stride());
    attended.quantize(to, products.kernels());
  }

  /** normed = norm(residual). @param integers whether products read the int8 form */
  public void normalize(int rows, Normalization norm, boolean integers) {
    normalize.norm = norm;
    normalize.integers = integers;
    pool.run(rows, 1, normalize);
  }

  /**
   * residual += after(projected + bias); normed = before(residual), of which row 0 is row {@code from} of the residual.
   *
   * @param bias empty for none
   * @param after null for none
   */
  public void addThenNormalize(int from, int rows, float[] bias, Normalization after, Normalization before, boolean integers) {
    addThenNormalize.first = from;
    addThenNormalize.bias = bias;
    addThenNormalize.after = after;
    addThenNormalize.norm = before;
    addThenNormalize.integers = integers;
    pool.run(rows, 1, addThenNormalize);
  }

  void quantizeAttended(int rows) {
    pool.run(rows, 1, quantizeAttended);
  }

  /** activated = activation(gate) × up. */
  void activate(int rows, GatedFeedForward layer) {
    if (rows > 1) {
      activate.layer = layer;
      pool.run(rows, 1, activate);
      return;
    }
    activateColumns.layer = layer;
    pool.run(Math.ceilDiv(layer.hidden(), ACTIVATED_COLUMNS), 1, activateColumns);
    if (layer.readsIntegers()) {
      activated.quantize(0, products.kernels());
    }
  }

  /** Rows whose logits are computed together. */
  public int logitsRows() {
    return logitsRows;
  }

  /** Computes the logits of the first rows of what is normalised. @param rows at most {@link #logitsRows} */
  public void head(int rows, Linear output, float softcap) {
    if (rows > 1 && logits.length == logitsStride) {
      logits = new float[logitsRows * logitsStride];
    }
    products.multiply(normed, rows, output.matrix(), logits, logitsStride);
    if (softcap != 0) {
      for (int row = 0; row < rows; row++) {
        elementwise.softcap(logits, row * logitsStride, vocabulary, softcap);
      }
    }
  }

  /** The logits that {@link #head} computed: row r begins at r × {@link #logitsStride}. */
  public float[] logits() {
    return logits;
  }

  /** Distance of two rows' logits. */
  public int logitsStride() {
    return logitsStride;
  }

  private final class NormalizeStep implements WorkerPool.Range {
    private Normalization norm;
    private boolean integers;

    @Override
    public void compute(int worker, int from, int to) {
      for (int row = from; row < to; row++) {
        elementwise.rmsNorm(residual, row * width, norm.weight(), norm.epsilon(), normed.values(), row * normed.stride());
        if (integers) {
          normed.quantize(row, products.kernels());
        }
      }
    }
  }

  private final class AddThenNormalizeStep implements WorkerPool.Range {
    private int first;
    private float[] bias;
    private Normalization after;
    private Normalization norm;
    private boolean integers;

    @Override
    public void compute(int worker, int from, int to) {
      for (int row = from; row < to; row++) {
        int at = (first + row) * widthStride;
        elementwise.add(projected, at, bias, 0, bias.length);
        if (after != null) {
          elementwise.rmsNorm(projected, at, after.weight(), after.epsilon(), projected, at);
        }
        elementwise.addThenNorm(residual, (first + row) * width, projected, at, norm.weight(), norm.epsilon(), normed.values(), row * normed.stride());
        if (integers) {
          normed.quantize(row, products.kernels());
        }
      }
    }
  }

  /** Biases, norms of heads, then rotation. */
  final class RotateStep implements WorkerPool.Range {
    private Attention layer;

    void run(int rows, Attention of) {
      layer = of;
      pool.run(rows, 1, this);
    }

    @Override
    public void compute(int worker, int from, int to) {
      for (int row = from; row < to; row++) {
        layer.rotate(Workspace.this, row);
      }
    }
  }

  private final class QuantizeAttendedStep implements WorkerPool.Range {
    @Override
    public void compute(int worker, int from, int to) {
      for (int row = from; row < to; row++) {
        attended.quantize(row, products.kernels());
      }
    }
  }

  private final class ActivateStep implements WorkerPool.Range {
    private GatedFeedForward layer;

    @Override
    public void compute(int worker, int from, int to) {
      for (int row = from; row < to; row++) {
        layer.activate(Workspace.this, row, 0, layer.hidden());
        if (layer.readsIntegers()) {
          activated.quantize(row, products.kernels());
        }
      }
    }
  }

  /** Over the pieces of one token's hidden columns. */
  private final class ActivateColumnsStep implements WorkerPool.Range {
    private GatedFeedForward layer;

    @Override
    public void compute(int worker, int from, int to) {
      int first = from * ACTIVATED_COLUMNS;
      layer.activate(Workspace.this, 0, first, Math.min(layer.hidden(), to * ACTIVATED_COLUMNS) - first);
    }
  }
}
