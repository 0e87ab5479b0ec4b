package dev.nibble.quant;

import dev.nibble.quant.QuantizationReport.Fallback;
import dev.nibble.quant.QuantizationReport.TensorReport;
import dev.nibble.tensor.BlockEncoder;
import dev.nibble.tensor.TensorFormat;
import dev.nibble.tensor.UnrepresentableWeightException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Quantises one tensor, as a stream: groups of rows are read, quantised, measured and written, several at a time on several processors, so
 * that memory stays bounded however large the tensor. Bytes and error figures do not depend on the number of processors.
 */
public final class TensorQuantizer {
  /** Weights a piece of work holds, unless a single row is longer. */
  private static final int PIECE_WEIGHTS = 1 << 17;
  /** Pieces in flight: 8 × 2^17 weights in floats twice and as blocks are some 9 to 12 MB. */
  private static final int PIECES = 8;

  private final SourceTensor tensor;
  private final TensorFormat wanted;
  private final TensorFormat format;
  private double squaredError;
  private double squares;
  private boolean written;

  /** Vectors are given F32 whatever the scheme, and rows that do not divide into blocks the source's own format. */
  public TensorQuantizer(SourceTensor tensor, QuantizationScheme scheme) {
    this.tensor = tensor;
    wanted = tensor.vector() ? TensorFormat.F32 : scheme.format();
    format = tensor.columns() % wanted.blockSize() == 0 ? wanted : tensor.exactFormat();
  }

  public SourceTensor tensor() {
    return tensor;
  }

  /** The format the tensor is stored in. */
  public TensorFormat format() {
    return format;
  }

  /** Bytes the tensor takes. */
  public long bytes() {
    return format.bytes(tensor.elementCount());
  }

  /** Set where the tensor cannot have the scheme's format. */
  public Optional<Fallback> fallback() {
    return format == wanted
        ? Optional.empty()
        : Optional.of(new Fallback(tensor.name(), wanted, format,
            "rows of " + tensor.columns() + " are not a whole number of blocks of " + wanted.blockSize()));
  }

  /**
   * Quantises the tensor and writes its bytes.
   *
   * @throws InvalidWeightException for a weight that is not finite, or too large for the format
   * @throws IOException if writing fails
   */
  public void writeTo(WritableByteChannel channel) throws IOException {
    squaredError = 0;
    squares = 0;
    int rowsPerPiece = Math.max(1, PIECE_WEIGHTS / tensor.columns());
    Piece[] pieces = new Piece[PIECES];
    for (int row = 0; row < tensor.rows();) {
      int first = row;
      int count = (int) Math.min(PIECES, (tensor.rows() - first + (long) rowsPerPiece - 1) / rowsPerPiece);
      IntStream.range(0, count).parallel().forEach(i -> {
        int from = first + i * rowsPerPiece;
        int rows = Math.min(rowsPerPiece, tensor.rows() - from);
        if (pieces[i] == null) {
          pieces[i] = new Piece(rows * tensor.columns(), format);
        }
        pieces[i].quantize(tensor, from, rows);
      });
      for (int i = 0; i < count; i++) {
        Piece piece = pieces[i];
        if (piece.failure != null) {
          throw failure(piece);
        }
        // Sums are added in the pieces' order: the figures are the same on every machine.
        squaredError += piece.squaredError;
        squares += piece.squares;
        ByteBuffer buffer = ByteBuffer.wrap(piece.blocks, 0, piece.bytes);
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
        row += piece.rows;
      }
    }
    written = true;
  }

  private InvalidWeightException failure(Piece piece) {
    long index = (long) piece.firstRow * tensor.columns() + piece.failure.index();
    return new InvalidWeightException("tensor " + tensor.name() + ", weight " + index + " (row " + index / tensor.columns() + ", column "
        + index % tensor.columns() + "): " + piece.failure.reason(), piece.failure);
  }

  /**
   * What was written.
   *
   * @throws IllegalStateException before {@link #writeTo}
   */
  public TensorReport report() {
    if (!written) {
      throw new IllegalStateException("tensor " + tensor.name() + " has not been written");
    }
    List<Long> shape = tensor.vector() ? List.of((long) tensor.columns()) : List.of((long) tensor.rows(), (long) tensor.columns());
    double count = tensor.elementCount();
    return new TensorReport(tensor.name(), shape, format, tensor.elementCount(), bytes(), squaredError / count, squares / count);
  }

  /** Scratch for a group of rows, used again for later groups. */
  private static final class Piece {
    private final BlockEncoder encoder;
    private final float[] weights;
    private final float[] restored;
    private final byte[] blocks;
    private int firstRow;
    private int rows;
    private int bytes;
    private double squaredError;
    private double squares;
    private UnrepresentableWeightException failure;

    Piece(int weightCount, TensorFormat format) {
      encoder = format.encoder();
      weights = new float[weightCount];
      restored = new float[weightCount];
      blocks = new byte[Math.toIntExact(format.bytes(weightCount))];
    }

    void quantize(SourceTensor tensor, int firstRow, int rows) {
      this.firstRow = firstRow;
      this.rows = rows;
      int count = rows * tensor.columns();
      bytes = (int) encoder.format().bytes(count);
      tensor.reader().read(firstRow, rows, weights);
      try {
        encoder.encode(weights, 0, count, blocks, 0);
      } catch (UnrepresentableWeightException e) {
        failure = e;
        return;
      }
      encoder.decode(blocks, 0, restored, 0, count);
      double errorSum = 0;
      double squareSum = 0;
      for (int i = 0; i < count; i++) {
        double error = (double) restored[i] - weights[i];
        errorSum += error * error;
        squareSum += (double) weights[i] * weights[i];
      }
      squaredError = errorSum;
      squares = squareSum;
    }
  }
}
