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
 * of 256 bits, two groups of inputs a turn of the inner loop. Feeds: {@code F} broadcasts a pair of inputs as a float, {@code I} as an int.
 */
public final class VariantGenerator {
  private static final Pattern NAME = Pattern.compile("W(128|256|512)_([1-4])x([1-8])([IF])([124])");

  private final StringBuilder out = new StringBuilder();

  private VariantGenerator() {}

  private record Variant(String name, int bits, int tiles, int tokens, boolean floats, int unrolled) {
    static Variant parse(String name) {
      Matcher matcher = NAME.matcher(name);
      if (!matcher.matches()) {
        throw new IllegalArgumentException(name + " is no variant; they are named as " + NAME);
      }
      return new Variant(name, Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(3)),
          matcher.group(4).equals("F"), Integer.parseInt(matcher.group(5)));
    }

    /** Vectors that make the 16 rows of a tile. */
    int slices() {
      return 512 / bits;
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
    for (String name : List.of("java.lang.foreign.MemorySegment", "jdk.incubator.vector.*", "static java.nio.ByteOrder.LITTLE_ENDIAN",
        "static jdk.incubator.vector.VectorOperators.*")) {
      generator.line("import %s;", name);
    }
    variants.forEach(generator::write);
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
    line("  static void run(MemorySegment weights, long tile, long tileBytes, int blocks, Activations x, int token, float[] out, int outAt, int stride) {");
    line("    %s[] steps = %s;", variant.floats ? "float" : "int", variant.floats ? "x.steps" : "VariantBench.ints(x)");
    line("    int stepsAt = 16 * blocks * token;");
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
        line("      FloatVector scale%d%d = ((IntVector) ShortVector.fromMemorySegment(HALF_SHORTS, weights, tile%d + %d, LITTLE_ENDIAN)", t, h, t, bytes / 2 * h);
        line("          .convertShape(S2I, INTS, 0)).lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);");
      }
    }
    each(variant, (t, n, h) -> {
      line("      IntVector int%d%d%d = acc%d%d%d.reinterpretAsInts();", t, n, h, t, n, h);
      line("      sum%d%d%d = ((FloatVector) int%d%d%d.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int%d%d%d.lanewise(ASHR, 16)).convert(I2F, 0))", t, n, h, t, n, h,
          t, n, h);
      line("          .fma(scale%d%d.mul(x.scales[block + b + %d * blocks]), sum%d%d%d);", t, h, n, t, n, h);
    });
    for (int t = 0; t < variant.tiles; t++) {
      line("      tile%d += Q4Matrix.BLOCK_BYTES;", t);
    }
    line("      stepsAt += 16;");
    line("    }");
    each(variant, (t, n, h) -> line("    sum%d%d%d.intoArray(out, outAt + %d * stride + %d);", t, n, h, n, 16 * t + variant.bits / 32 * h));
    line("  }");
    line("}");
  }

  private void group(Variant variant, int unrolled, int bytes) {
    for (int t = 0; t < variant.tiles; t++) {
      for (int h = 0; h < variant.slices(); h++) {
        line("        ShortVector w%d%d_%d = ShortVector.fromMemorySegment(SHORTS, weights, tile%d + %d + 64L * group, LITTLE_ENDIAN);", t, h, unrolled, t,
            32 + bytes * h + 64 * unrolled);
      }
    }
    for (int step = 0; step < 4; step++) {
      for (int n = 0; n < variant.tokens; n++) {
        line("        ShortVector x%d_%d%d = %sVector.broadcast(%sS, steps[stepsAt + %d * 16 * blocks + 4 * group + %d]).reinterpretAsShorts();", n, unrolled, step,
            variant.floats ? "Float" : "Int", variant.floats ? "FLOAT" : "INT", n, 4 * unrolled + step);
      }
      for (int t = 0; t < variant.tiles; t++) {
        for (int h = 0; h < variant.slices(); h++) {
          String shifted = "w" + t + h + "_" + unrolled + (step == 0 ? "" : "s" + step);
          if (step > 0) {
            line("        ShortVector %s = w%d%d_%d.lanewise(LSHR, %d);", shifted, t, h, unrolled, 4 * step);
          }
          for (int n = 0; n < variant.tokens; n++) {
            line("        acc%d%d%d = acc%d%d%d.add(%s.mul(x%d_%d%d));", t, n, h, t, n, h, shifted, n, unrolled, step);
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
    line("  static void run(int variant, MemorySegment weights, long tile, long tileBytes, int blocks, Activations x, int token, float[] out, int outAt, int stride) {");
    line("    switch (variant) {");
    for (int i = 0; i < variants.size(); i++) {
      line("      case %d -> %s.run(weights, tile, tileBytes, blocks, x, token, out, outAt, stride);", i, variants.get(i).name);
    }
    line("      default -> throw new IllegalArgumentException(\"no variant \" + variant);");
    line("    }");
    line("  }");
    line("}");
  }
}
