package dev.nibble.engine;

import java.util.Map;

/**
 * How the next token is chosen from the logits. The steps run in this order: logit bias, repetition penalty, presence and
 * frequency penalties, temperature, top-k, top-p, min-p, draw.
 *
 * @param temperature divisor of the logits; 0 means greedy (the largest logit, lowest id on ties); 0 to 2
 * @param topK keep the K largest logits; 0 means all
 * @param topP keep the smallest set of most likely tokens whose probabilities sum to at least this (nucleus sampling, Holtzman et al. 2020); 0 to 1, 1 means all
 * @param minP drop tokens less likely than this fraction of the most likely one; 0 to 1, 0 means none
 * @param repetitionPenalty divides positive and multiplies negative logits of tokens in prompt or answer (CTRL, Keskar et al. 2019); above 0, 1 means none
 * @param presencePenalty subtracted once from the logit of each token already in the answer; -2 to 2
 * @param frequencyPenalty subtracted once for each occurrence in the answer; -2 to 2
 * @param logitBias added to the logits of these token ids; -100 to 100
 * @param seed key of the counter-based random generator: the same seed gives the same draws on every machine
 */
public record SamplingParameters(
    float temperature,
    int topK,
    float topP,
    float minP,
    float repetitionPenalty,
    float presencePenalty,
    float frequencyPenalty,
    Map<Integer, Float> logitBias,
    long seed) {

  /** Greedy decoding: no randomness, no penalties. */
  public static final SamplingParameters GREEDY = new SamplingParameters(0, 0, 1, 0, 1, 0, 0, Map.of(), 0);

  public SamplingParameters {
    logitBias = Map.copyOf(logitBias);
    require(temperature >= 0 && temperature <= 2, "temperature", temperature, "0 to 2");
    require(topK >= 0, "top_k", topK, "0 (off) or more");
    require(topP >= 0 && topP <= 1, "top_p", topP, "0 to 1");
    require(minP >= 0 && minP <= 1, "min_p", minP, "0 to 1");
    require(repetitionPenalty > 0 && repetitionPenalty <= 10, "repetition_penalty", repetitionPenalty, "above 0, at most 10");
    require(Math.abs(presencePenalty) <= 2, "presence_penalty", presencePenalty, "-2 to 2");
    require(Math.abs(frequencyPenalty) <= 2, "frequency_penalty", frequencyPenalty, "-2 to 2");
    logitBias.forEach((id, bias) -> require(id >= 0 && Math.abs(bias) <= 100, "logit_bias[" + id + "]", bias, "-100 to 100, for a token id of the vocabulary"));
  }

  private static void require(boolean holds, String field, Object value, String allowed) {
    if (!holds) {
      throw EngineException.invalid(field, field + " is " + value + "; allowed: " + allowed);
    }
  }
}
