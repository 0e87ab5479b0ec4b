package dev.nibble.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Writes variants of the INT4 kernel as Java, to be timed by {@link VariantBench} under C2 and in a native image; {@code src/bench/variants.sh} does both.
 *
 * <p>A variant is named {@code W<vector bits>_<tiles>x<tokens><feed><unrolled groups>}: {@code W256_1x2F2} multiplies one tile with two vectors, by vectors
 * of 256 bits, two groups of inputs a turn of the inner loop. Feeds: {@code F} broadcasts a pair of inputs as a float, {@code I} as an int,
 * {@code B} loads copies for all lanes, {@code L} loads pairs for all lanes and rearranges them. Letters may
 * follow: {@code T} adds the four products of a group in pairs before they go to the sum, {@code S} shifts weights step by step instead of from the first,
 * {@code H} computes half of a tile's rows a call, {@code P} reads the inputs of all tokens side by side, {@code W} widens sums with one add and two shifts.
 *
 * <p>{@code U<vector bits>_<tiles>x<tokens>F<unrolled pairs>} multiplies weights that were unpacked to shorts before, as {@link Q4PanelKernel256} does, pairs being
 * broadcast as floats: unpacking is not timed, since hundreds of tokens share it.
 */
public final class VariantGenerator {
  private static final Pattern UNPACKED = Pattern.compile("U(256|512)_([12])x([1-8])F([124])");
  private static final Pattern NAME = Pattern.compile("W(128|256|512)_([1-4])x([1-8])([IFBL])([124])(T?)(S?)(H?)(P?)(W?)");

  private final StringBuilder out = new StringBuilder();

  private VariantGenerator() {}

  private record Variant(String name, int bits, int tiles, int tokens, char feed, int unrolled, boolean tree, boolean stepwise, boolean half,
      boolean packed, boolean widen) {
    static Variant parse(String name) {
      Matcher unpacked = UNPACKED.matcher(name);
      if (unpacked.matches()) {
        return new Variant(name, Integer.parseInt(unpacked.group(1)), Integer.parseInt(unpacked.group(2)), Integer.parseInt(unpacked.group(3)), 'U',
            Integer.parseInt(unpacked.group(4)), false, false, false, false, true);
      }
      Matcher matcher = NAME.matcher(name);
      if (!matcher.matches()) {
        throw new IllegalArgumentException(name + " is no variant; they are named as " + NAME + " or " + UNPACKED);
      }
      return new Variant(name, Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(3)),
          matcher.group(4).charAt(0), Integer.parseInt(matcher.group(5)), !matcher.group(6).isEmpty(), !matcher.group(7).isEmpty(), !matcher.group(8).isEmpty(),
          !matcher.group(9).isEmpty(), !matcher.group(10).isEmpty());
    }

    /** Vectors that make the rows computed in a call. */
    int slices() {
      return (half ? 256 : 512) / bits;
    }

    /** Where the pair of a step is. */
    String pair(int token, int step) {
      int lanes = feed == 'B' ? bits / 32 : 1;
      if (lanes > 1) {
        return packed ? "stepsAt + " + (step * tokens + token) * lanes + " + " + 4 * tokens * lanes + " * group"
            : "stepsAt + " + token * lanes + " * 16 * blocks + " + 4 * lanes + " * group + " + step * lanes;
      }
      return packed ? "stepsAt + " + (step * tokens + token) + " + " + 4 * tokens + " * group" : "stepsAt + " + token + " * 16 * blocks + 4 * group + " + step;
    }
  }

  /** Arguments: a folder for the sources, then names. */
  public static void main(String[] arguments) throws IOException {
    List<Variant> variants = new ArrayList<>();
    for (int i = 1; i < arguments.length; i++) {
      variants.add(Variant.parse(arguments[i]));
    }
    VariantGenerator generator = new VariantGenerator();
    generator.line("package dev.nibble.kernel;");
    for (String name : List.of("dev.nibble.kernel.tile.Int4Tile", "dev.nibble.tensor.Half", "java.lang.foreign.MemorySegment", "jdk.incubator.vector.*",
        "static java.nio.ByteOrder.LITTLE_ENDIAN", "static jdk.incubator.vector.VectorOperators.*")) {
      generator.line("import %s;", name);
    }
    for (Variant variant : variants) {
      if (variant.feed == 'U') {
        generator.writeUnpacked(variant);
      } else {
        generator.write(variant);
      }
    }
    generator.table(variants);
    Path folder = Path.of(arguments[0], "dev/nibble/kernel");
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("Variants.java"), generator.out);
  }

  private void line(String format, Object... values) {
    out.append(values.length == 0 ? format : String.format(Locale.ROOT, format, values)).append('\n');
  }

  private void write(Variant variant) {
    int bytes = variant.bits / 8;
    line("final class %s {", variant.name);
    line("  static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_%d;", variant.bits);
    line("  static final VectorSpecies<Short> HALF_SHORTS = ShortVector.SPECIES_%d;", variant.bits / 2);
    line("  static final VectorSpecies<Integer> INTS = IntVector.SPECIES_%d;", variant.bits);
    line("  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_%d;", variant.bits);
    for (int i = 0; i < (variant.feed == 'L' ? 8 : 0); i++) {
      line("  static final VectorShuffle<Float> LANE%d = VectorShuffle.fromValues(FLOATS%s);", i, (", " + i).repeat(variant.bits / 32));
    }
    line("  static void run(MemorySegment weights, long tile, long tileBytes, int blocks, Activations x, int token, float[] out, int outAt, int stride, int row) {");
    line("    %s[] steps = %s;", variant.feed == 'I' ? "int" : "float", switch (variant.feed) {
      case 'I' -> "VariantBench.ints(x)";
      case 'B' -> "VariantBench.copied(x, " + (variant.packed ? variant.tokens : 1) + ", " + variant.bits / 32 + ")";
      default -> variant.packed ? "VariantBench.packed(x, " + variant.tokens + ")" : "x.steps";
    });
    String row = variant.half ? " * row + " : " * 0 + ";
    line("    int stepsAt = %d * blocks * token;", variant.feed == 'B' ? 16 * variant.bits / 32 : 16);
    line("    int block = blocks * token;");
    each(variant, (t, n, h) -> line("    FloatVector sum%d%d%d = FloatVector.zero(FLOATS);", t, n, h));
    for (int t = 0; t < variant.tiles; t++) {
      line("    long tile%d = tile + %d * tileBytes;", t, t);
    }
    line("    for (int b = 0; b < blocks; b++) {");
    each(variant, (t, n, h) -> line(
        "      ShortVector acc%d%d%d = IntVector.broadcast(INTS, x.nibbleOffsets[block + b + %d * blocks]).reinterpretAsShorts();", t, n, h, n));
    line("      for (int group = 0; group < 4; group += %d) {", variant.unrolled);
    for (int u = 0; u < variant.unrolled; u++) {
      group(variant, u, bytes);
    }
    line("      }");
    for (int t = 0; t < variant.tiles; t++) {
      for (int h = 0; h < variant.slices(); h++) {
        line("      FloatVector scale%d%d = ((IntVector) ShortVector.fromMemorySegment(HALF_SHORTS, weights, tile%d + 2L%s%d, LITTLE_ENDIAN)", t, h, t, row, bytes / 2 * h);
        line("          .convertShape(S2I, INTS, 0)).lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);");
      }
    }
    each(variant, (t, n, h) -> {
      line("      IntVector int%d%d%d = acc%d%d%d.reinterpretAsInts();", t, n, h, t, n, h);
      if (variant.widen) {
        line("      sum%d%d%d = ((FloatVector) int%d%d%d.lanewise(LSHL, 16).add(int%d%d%d).lanewise(ASHR, 16).convert(I2F, 0))", t, n, h, t, n, h, t, n, h);
      } else {
        line("      sum%d%d%d = ((FloatVector) int%d%d%d.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int%d%d%d.lanewise(ASHR, 16)).convert(I2F, 0))", t, n, h, t, n,
            h, t, n, h);
      }
      line("          .fma(scale%d%d.mul(x.scales[block + b + %d * blocks]), sum%d%d%d);", t, h, n, t, n, h);
    });
    for (int t = 0; t < variant.tiles; t++) {
      line("      tile%d += Int4Tile.BLOCK_BYTES;", t);
    }
    line("      stepsAt += %d;", (variant.packed ? 16 * variant.tokens : 16) * (variant.feed == 'B' ? variant.bits / 32 : 1));
    line("    }");
    each(variant, (t, n, h) -> line("    sum%d%d%d.intoArray(out, outAt + %d * stride + %d);", t, n, h, n, 16 * t + variant.bits / 32 * h));
    line("  }");
    line("}");
  }

  private void writeUnpacked(Variant variant) {
    int shorts = variant.bits / 16;
    line("final class %s {", variant.name);
    line("  static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_%d;", variant.bits);
    line("  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_%d;", variant.bits);
    line("  static void run(MemorySegment weights, long tile, long tileBytes, int blocks, Activations x, int token, float[] out, int outAt, int stride, int row) {");
    line("    short[] unpacked = VariantBench.unpacked(weights);");
    line("    float[] scales = VariantBench.unpackedScales(weights);");
    line("    int scaleAt = (int) (tile / tileBytes) * blocks * 16;");
    line("    int at = 32 * scaleAt;");
    line("    float[] pairs = x.pairs;");
    line("    int pairsAt = 16 * blocks * token;");
    line("    int block = blocks * token;");
    each(variant, (t, n, h) -> line("    FloatVector sum%d%d%d = FloatVector.zero(FLOATS);", t, n, h));
    line("    for (int b = 0; b < blocks; b++) {");
    each(variant, (t, n, h) -> line("      ShortVector acc%d%d%d = ShortVector.zero(SHORTS);", t, n, h));
    line("      for (int pair = 0; pair < 16; pair += %d) {", variant.unrolled);
    for (int u = 0; u < variant.unrolled; u++) {
      for (int t = 0; t < variant.tiles; t++) {
        for (int h = 0; h < variant.slices(); h++) {
          line("        ShortVector w%d%d_%d = ShortVector.fromArray(SHORTS, unpacked, at + %d + %d * blocks);", t, h, u, 32 * u + shorts * h, 512 * t);
        }
      }
      for (int n = 0; n < variant.tokens; n++) {
        line("        ShortVector x%d_%d = FloatVector.broadcast(FLOATS, pairs[pairsAt + %d + %d * blocks]).reinterpretAsShorts();", n, u, u, 16 * n);
        for (int t = 0; t < variant.tiles; t++) {
          for (int h = 0; h < variant.slices(); h++) {
            line("        acc%d%d%d = acc%d%d%d.add(w%d%d_%d.mul(x%d_%d));", t, n, h, t, n, h, t, h, u, n, u);
          }
        }
      }
    }
    line("        at += %d;", 32 * variant.unrolled);
    line("        pairsAt += %d;", variant.unrolled);
    line("      }");
    for (int t = 0; t < variant.tiles; t++) {
      for (int h = 0; h < variant.slices(); h++) {
        line("      FloatVector scale%d%d = FloatVector.fromArray(FLOATS, scales, scaleAt + %d + %d * blocks);", t, h, shorts / 2 * h, 16 * t);
      }
    }
    each(variant, (t, n, h) -> {
      line("      IntVector int%d%d%d = acc%d%d%d.reinterpretAsInts();", t, n, h, t, n, h);
      line("      sum%d%d%d = ((FloatVector) int%d%d%d.lanewise(LSHL, 16).add(int%d%d%d).lanewise(ASHR, 16).convert(I2F, 0))", t, n, h, t, n, h, t, n, h);
      line("          .fma(scale%d%d.mul(x.scales[block + b + %d * blocks]), sum%d%d%d);", t, h, n, t, n, h);
    });
    line("      scaleAt += 16;");
    line("    }");
    each(variant, (t, n, h) -> line("    sum%d%d%d.intoArray(out, outAt + %d * stride + %d);", t, n, h, n, 16 * t + shorts / 2 * h));
    line("  }");
    line("}");
  }

  private void group(Variant variant, int unrolled, int bytes) {
    for (int t = 0; t < variant.tiles; t++) {
      for (int h = 0; h < variant.slices(); h++) {
        line("        ShortVector w%d%d_%d = ShortVector.fromMemorySegment(SHORTS, weights, tile%d + %d + 64L * group%s, LITTLE_ENDIAN);", t, h, unrolled, t,
            32 + bytes * h + 64 * unrolled, variant.half ? " + 4L * row" : "");
      }
    }
    for (int step = 0; step < 4; step++) {
      for (int n = 0; n < variant.tokens; n++) {
        String value = switch (variant.feed) {
          case 'I' -> "IntVector.broadcast(INTS, steps[" + variant.pair(n, 4 * unrolled + step) + "])";
          case 'F' -> "FloatVector.broadcast(FLOATS, steps[" + variant.pair(n, 4 * unrolled + step) + "])";
          case 'B' -> "FloatVector.fromArray(FLOATS, steps, " + variant.pair(n, 4 * unrolled + step) + ")";
          default -> "l" + n + "_" + unrolled / 2 + ".rearrange(LANE" + (unrolled % 2 * 4 + step) + ")";
        };
        if (variant.feed == 'L' && step == 0 && unrolled % 2 == 0) {
          line("        FloatVector l%d_%d = FloatVector.fromArray(FLOATS, steps, %s);", n, unrolled / 2, variant.pair(n, 4 * unrolled));
        }
        line("        ShortVector x%d_%d%d = %s.reinterpretAsShorts();", n, unrolled, step, value);
      }
      for (int t = 0; t < variant.tiles; t++) {
        for (int h = 0; h < variant.slices(); h++) {
          String vector = "w" + t + h + "_" + unrolled;
          String shifted = vector + (step == 0 ? "" : "s" + step);
          if (step > 0) {
            line("        ShortVector %s = %s.lanewise(LSHR, %d);", shifted, variant.stepwise && step > 1 ? vector + "s" + (step - 1) : vector,
                variant.stepwise ? 4 : 4 * step);
          }
          for (int n = 0; n < variant.tokens; n++) {
            String product = String.format("%s.mul(x%d_%d%d)", shifted, n, unrolled, step);
            String place = "" + t + n + h;
            if (!variant.tree) {
              line("        acc%s = acc%s.add(%s);", place, place, product);
            } else if (step % 2 == 0) {
              line("        ShortVector p%s_%d%d = %s;", place, unrolled, step, product);
            } else {
              line("        ShortVector q%s_%d%d = p%s_%d%d.add(%s);", place, unrolled, step, place, unrolled, step - 1, product);
              if (step == 3) {
                line("        acc%s = acc%s.add(q%s_%d1.add(q%s_%d3));", place, place, place, unrolled, place, unrolled);
              }
            }
          }
        }
      }
    }
  }

  private interface Place {
    void at(int tile, int token, int slice);
  }

  private static void each(Variant variant, Place place) {
    for (int t = 0; t < variant.tiles; t++) {
      for (int n = 0; n < variant.tokens; n++) {
        for (int h = 0; h < variant.slices(); h++) {
          place.at(t, n, h);
        }
      }
    }
  }

  private void table(List<Variant> variants) {
    line("final class Variants {");
    line("  static final String[] NAMES = {%s};", variants.stream().map(v -> '"' + v.name + '"').collect(Collectors.joining(", ")));
    line("  static final int[] TILES = {%s};", variants.stream().map(v -> "" + v.tiles).collect(Collectors.joining(", ")));
    line("  static final int[] TOKENS = {%s};", variants.stream().map(v -> "" + v.tokens).collect(Collectors.joining(", ")));
    line("  static final boolean[] HALVES = {%s};", variants.stream().map(v -> "" + v.half).collect(Collectors.joining(", ")));
    line("  static void run(int variant, MemorySegment weights, long tile, long tileBytes, int blocks, Activations x, int token, float[] out, int outAt, int stride, int row) {");
    line("    switch (variant) {");
    for (int i = 0; i < variants.size(); i++) {
      line("      case %d -> %s.run(weights, tile, tileBytes, blocks, x, token, out, outAt, stride, row);", i, variants.get(i).name);
    }
    line("      default -> throw new IllegalArgumentException(\"no variant \" + variant);");
    line("    }");
    line("  }");
    line("}");
  }
}
