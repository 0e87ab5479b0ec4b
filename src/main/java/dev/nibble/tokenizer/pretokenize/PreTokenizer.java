package dev.nibble.tokenizer.pretokenize;

import java.util.List;
import java.util.Optional;

/**
 * A family's way of splitting text into words that merges do not cross: a row of data. Patterns are as the families publish them (tokenizer.json), or, where
 * they do not, as llama.cpp states them (src/llama-vocab.cpp); names are GGUF's ({@code tokenizer.ggml.pre}).
 *
 * @param names what the rule is called, the usual name first
 * @param patterns applied one after the other, each to the pieces of the one before
 * @param nfc whether text is normalised to Unicode's form C first
 * @param wholeWords whether a word that is a token is taken as it is, without merging
 * @param addsBeginning whether prompts begin with BOS where metadata do not say
 */
public record PreTokenizer(List<String> names, List<String> patterns, boolean nfc, boolean wholeWords, boolean addsBeginning) {
  /** GPT-2's words, which many rules use as a step. */
  private static final String GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  private static final String CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String WORD = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
  private static final String SIGNS = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
  private static final String SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String LLAMA3 = CONTRACTION + "|" + WORD + "|\\p{N}{1,3}|" + SIGNS + "|" + SPACES;
  private static final String QWEN2 = CONTRACTION + "|" + WORD + "|\\p{N}|" + SIGNS + "|" + SPACES;
  /** A word of capitals, then others; and one of capitals, maybe with others after. */
  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String CASED = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+";
  private static final String CAPITALS = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*";
  private static final String SIGNS_AND_SLASHES = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*";
  private static final String DEEPSEEK3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" + SPACES;
  private static final String CHINESE_AND_KANA = "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+";
  private static final String CHINESE_AND_KOREAN = "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+";
  private static final String BLOOM = " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C})]+";
  /** Letters of scripts with two cases, in DeepSeek's own selection. */
  private static final String TWO_CASES = "A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}"
      + "\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}"
      + "\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}"
      + "\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}"
      + "\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}"
      + "\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}"
      + "\\x{2115}\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}"
      + "\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}"
      + "\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}"
      + "\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"
      + "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}";

  private static final List<PreTokenizer> TABLE = List.of(
      row("gpt-2 phi-2 exaone4 gigachat a.x-4.0 mellum jais trillion granite-docling", GPT2),
      row("mpt olmo", GPT2).withNfc(),
      row("default", "[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"),
      row("llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2", LLAMA3).withWholeWords().withBeginning(),
      row("dbrx smaug-bpe glm4 chatglm-bpe", LLAMA3),
      row("qwen2 deepseek-r1-qwen megrez", QWEN2).withNfc(),
      row("stablelm2 hunyuan solar-open grok-2", QWEN2),
      row("qwen35", CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" + SPACES).withNfc(),
      row("smollm starcoder refact codeshell exaone minerva-7b mellum2", "\\p{N}", GPT2),
      row("command-r", "\\p{N}", GPT2).withNfc(),
      row("falcon", "[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"),
      row("deepseek-llm", "[\\r\\n]", "\\s?[" + TWO_CASES + "]+", "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+", "\\s+$",
          CHINESE_AND_KOREAN, "\\p{N}+"),
      row("deepseek-coder", "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CHINESE_AND_KOREAN, "\\p{N}"),
      row("deepseek-v3 hunyuan-dense joyai-llm hy_v4", "\\p{N}{1,3}", CHINESE_AND_KANA, DEEPSEEK3),
      row("gpt-4o llama4 kanana2 talkie minimax-m2",
          CASED + CONTRACTION + "?|" + CAPITALS + CONTRACTION + "?|\\p{N}{1,3}|" + SIGNS_AND_SLASHES + "|" + SPACES),
      row("tekken", CASED + "|" + CAPITALS + "|\\p{N}|" + SIGNS_AND_SLASHES + "|" + SPACES).withWholeWords().withBeginning(),
      row("bailingmoe bailingmoe2 llada-moe", "'(?i:[sdmt]|ll|ve|re)|" + WORD + "|\\p{N}|" + SIGNS + "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"),
      row("seed-coder", CONTRACTION + "|" + WORD + "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" + SPACES),
      row("exaone-moe", CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"),
      row("minicpm5", "\\p{N}{1,3}", CONTRACTION + "|" + WORD + "|\\p{N}+|" + SIGNS + "|" + SPACES).withWholeWords(),
      row("jais-2", CONTRACTION + "|" + WORD + "|\\p{N}{1,3}|" + SIGNS + "|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)"
          + "|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"),
      row("ufakzeka", WORD + "|\\p{N}|" + SIGNS + "|" + SPACES),
      row("laguna", "[^\\n]+|[\\n]+", QWEN2),
      row("bloom poro-chat gpt3-finnish", BLOOM),
      row("viking", BLOOM, "\\p{N}"),
      row("chameleon", "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "\\p{N}", "[\\p{P}!-/:-@\\[-`\\{-~]", GPT2).withBeginning());

  public PreTokenizer {
    names = List.copyOf(names);
    patterns = List.copyOf(patterns);
  }

  private static PreTokenizer row(String names, String... patterns) {
    return new PreTokenizer(List.of(names.split(" ")), List.of(patterns), false, false, false);
  }

  private PreTokenizer withNfc() {
    return new PreTokenizer(names, patterns, true, wholeWords, addsBeginning);
  }

  private PreTokenizer withWholeWords() {
    return new PreTokenizer(names, patterns, nfc, true, addsBeginning);
  }

  private PreTokenizer withBeginning() {
    return new PreTokenizer(names, patterns, nfc, wholeWords, true);
  }

  /** All rows. */
  public static List<PreTokenizer> table() {
    return TABLE;
  }

  /** The rule that GGUF calls so. */
  public static Optional<PreTokenizer> named(String name) {
    return TABLE.stream().filter(row -> row.names.contains(name)).findFirst();
  }

  /** The rule with these patterns that normalises and takes whole words as wanted: another one's name would make other tokens of the same text. */
  public static Optional<PreTokenizer> of(List<String> patterns, boolean nfc, boolean wholeWords) {
    return TABLE.stream().filter(row -> row.patterns.equals(patterns) && row.nfc == nfc && row.wholeWords == wholeWords).findFirst();
  }

  /** Every name of every rule, for messages. */
  public static String known() {
    return String.join(", ", TABLE.stream().flatMap(row -> row.names.stream()).toList());
  }

  /** The name in GGUF's {@code tokenizer.ggml.pre}. */
  public String ggufName() {
    return names.getFirst();
  }

  /** GPT-2's pattern, which byte-level vocabularies use where they name none. */
  public static String gpt2Pattern() {
    return GPT2;
  }

  /** The rule made ready, which takes some work. */
  public Splitter splitter() {
    return new Splitter(patterns);
  }
}
