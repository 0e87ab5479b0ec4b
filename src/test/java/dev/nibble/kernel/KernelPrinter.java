package dev.nibble.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Prints the vector kernels of all widths from templates. A template is Java, in which
 *
 * <ul>
 *   <li>{@code $name} or {@code ${name}} stands for a value: {@code $bits} of a vector, {@code $bytes}, {@code $shorts} and {@code $floats} that it holds,
 *       {@code $halfBytes} of half a vector, {@code $parts} numbers of the vectors that a method computes with (0 1, or 0 where one holds a whole tile);
 *   <li>{@code ${name=value,value: text}} stands for the text where the value is one of these, else for nothing;
 *   <li>lines between {@code //: if name=value,value} and {@code //: end} are printed where the value is one of these;
 *   <li>lines between {@code //: each name value value …} and {@code //: end} are printed for each value, under that name; {@code each token A B; part 0 1} is a
 *       loop in a loop, and {@code each token/other A/B B/A} one whose names go together;
 *   <li>the first line, {@code //: widths 128 256}, says what is printed.
 * </ul>
 *
 * <p>The sources are printed anew by {@code java src/test/java/dev/nibble/kernel/KernelPrinter.java}; {@link KernelPrinterTest} compares.
 */
public final class KernelPrinter {
  static final Path TEMPLATES = Path.of("src/main/templates/kernel");
  static final Path SOURCES = Path.of("src/main/java/dev/nibble/kernel");
  static final String COMMAND = "java src/test/java/dev/nibble/kernel/KernelPrinter.java";

  static final String HEADER = "// Printed from ";

  private static final String TEMPLATE = ".java.txt";
  private static final Pattern WIDTHS = Pattern.compile("//: widths((?: \\d+)+)");
  private static final Pattern IF = Pattern.compile(" *//: if (\\w+)=([\\w,]+)");
  private static final Pattern EACH = Pattern.compile(" *//: each (.+)");
  private static final Pattern END = Pattern.compile(" *//: end");
  private static final Pattern TEXT = Pattern.compile("\\$\\{(\\w+)=([\\w,]+):([^{}]*)}");
  private static final Pattern VALUE = Pattern.compile("\\$(?:(\\w+)|\\{(\\w+)})");

  private final Path template;
  private final List<String> lines;

  private KernelPrinter(Path template) throws IOException {
    this.template = template;
    lines = Files.readAllLines(template);
  }

  /** Prints all sources, from the root of the tree. */
  public static void main(String[] arguments) throws IOException {
    for (Map.Entry<Path, String> source : sources().entrySet()) {
      Files.writeString(source.getKey(), source.getValue());
    }
  }

  /** What is printed from all templates, by file. */
  static Map<Path, String> sources() throws IOException {
    List<Path> templates;
    try (Stream<Path> files = Files.list(TEMPLATES)) {
      templates = files.filter(file -> file.toString().endsWith(TEMPLATE)).sorted().toList();
    }
    Map<Path, String> sources = new TreeMap<>();
    for (Path template : templates) {
      String name = template.getFileName().toString().replace(TEMPLATE, "");
      KernelPrinter printer = new KernelPrinter(template);
      for (int bits : printer.widths()) {
        sources.put(SOURCES.resolve(name + bits + ".java"), printer.source(bits));
      }
    }
    return sources;
  }

  private int[] widths() {
    Matcher widths = WIDTHS.matcher(lines.get(0));
    if (!widths.matches()) {
      throw new IllegalArgumentException(template + ":1: the first line is \"" + lines.get(0) + "\"; it says for which widths the template is, as in //: widths 128 256");
    }
    return Arrays.stream(widths.group(1).strip().split(" ")).mapToInt(Integer::parseInt).toArray();
  }

  private String source(int bits) {
    Map<String, String> values = Map.of("bits", "" + bits, "bytes", "" + bits / 8, "halfBytes", "" + bits / 16, "shorts", "" + bits / 16, "floats", "" + bits / 32,
        "parts", bits < 512 ? "0 1" : "0");
    List<String> out = new ArrayList<>();
    out.add(HEADER + TEMPLATES + "/" + template.getFileName() + " by KernelPrinter; do not edit.");
    print(1, lines.size(), values, out);
    return String.join("\n", out) + "\n";
  }

  /** Prints the template's lines {@code from} to {@code to - 1}, counted from 0. */
  private void print(int from, int to, Map<String, String> values, List<String> out) {
    for (int at = from; at < to; at++) {
      String line = fill(lines.get(at), values, at);
      Matcher condition = IF.matcher(line);
      Matcher each = EACH.matcher(line);
      if (condition.matches()) {
        int end = end(at, to);
        if (holds(condition.group(1), condition.group(2), values, at)) {
          print(at + 1, end, values, out);
        }
        at = end;
      } else if (each.matches()) {
        int end = end(at, to);
        for (Map<String, String> inner : loop(List.of(each.group(1).split("; ")), values, at)) {
          print(at + 1, end, inner, out);
        }
        at = end;
      } else if (line.stripLeading().startsWith("//:")) {
        throw wrong(at, "\"" + line.strip() + "\" is none of if, each, end");
      } else {
        out.add(line);
      }
    }
  }

  /** The values in each turn of loops, the last of which is the innermost. */
  private List<Map<String, String>> loop(List<String> loops, Map<String, String> values, int at) {
    if (loops.isEmpty()) {
      return List.of(values);
    }
    List<Map<String, String>> turns = new ArrayList<>();
    String[] words = loops.get(0).split(" ");
    String[] names = words[0].split("/");
    for (String word : Arrays.copyOfRange(words, 1, words.length)) {
      String[] together = word.split("/");
      if (together.length != names.length) {
        throw wrong(at, word + " is not " + words[0]);
      }
      Map<String, String> inner = new TreeMap<>(values);
      for (int i = 0; i < names.length; i++) {
        inner.put(names[i], together[i]);
      }
      turns.addAll(loop(loops.subList(1, loops.size()), inner, at));
    }
    return turns;
  }

  /** Where what begins in a line ends. */
  private int end(int begin, int to) {
    int open = 0;
    for (int at = begin; at < to; at++) {
      if (END.matcher(lines.get(at)).matches()) {
        open--;
      } else if (lines.get(at).stripLeading().startsWith("//:")) {
        open++;
      }
      if (open == 0) {
        return at;
      }
    }
    throw wrong(begin, "has no //: end");
  }

  private String fill(String line, Map<String, String> values, int at) {
    String texts = TEXT.matcher(line).replaceAll(found -> Matcher.quoteReplacement(holds(found.group(1), found.group(2), values, at) ? found.group(3) : ""));
    String filled = VALUE.matcher(texts).replaceAll(found -> Matcher.quoteReplacement(value(found.group(1) == null ? found.group(2) : found.group(1), values, at)));
    if (filled.contains("$")) {
      throw wrong(at, "what begins with $ is neither a value nor a text: " + filled.strip());
    }
    return filled;
  }

  private boolean holds(String name, String wanted, Map<String, String> values, int at) {
    return List.of(wanted.split(",")).contains(value(name, values, at));
  }

  private String value(String name, Map<String, String> values, int at) {
    String value = values.get(name);
    if (value == null) {
      throw wrong(at, "there is no value \"" + name + "\"; there are " + String.join(", ", values.keySet()));
    }
    return value;
  }

  private IllegalArgumentException wrong(int at, String what) {
    return new IllegalArgumentException(template + ":" + (at + 1) + ": " + what);
  }
}
