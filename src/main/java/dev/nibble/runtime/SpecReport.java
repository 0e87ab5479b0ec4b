package dev.nibble.runtime;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.model.spec.AttentionSpec;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.FeedForwardSpec;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.Norm;
import dev.nibble.model.spec.Position;
import dev.nibble.model.spec.RopeScaling;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What a model is, for {@link ModelReport}: its sizes, and each kind of layer that it has with the numbers of those layers. What it does not have is null. */
final class SpecReport {
  private SpecReport() {}

  static ObjectNode of(DecoderSpec spec) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("family", spec.family()).put("layers", spec.layers().size()).put("width", spec.width()).put("vocabulary", spec.vocabulary()).put("context", spec.context());
    put(node, "embedding_scale", spec.embeddingScale(), 1);
    put(node, "logit_softcap", spec.logitSoftcap(), 0);
    node.set("output_norm", norm(Optional.of(spec.outputNorm())));
    Map<LayerSpec, List<Integer>> kinds = new LinkedHashMap<>();
    for (int i = 0; i < spec.layers().size(); i++) {
      kinds.computeIfAbsent(spec.layers().get(i), layer -> new ArrayList<>()).add(i);
    }
    ArrayNode layers = node.putArray("layer_kinds");
    kinds.forEach((layer, numbers) -> layer(layer, numbers, layers.addObject()));
    return node;
  }

  private static void layer(LayerSpec layer, List<Integer> numbers, ObjectNode node) {
    AttentionSpec attention = layer.attention();
    node.put("layers", ranges(numbers));
    node.put("heads", attention.heads()).put("key_value_heads", attention.keyValueHeads()).put("head_width", attention.headWidth());
    if (attention.window() == 0) {
      node.putNull("window");
    } else {
      node.put("window", attention.window());
    }
    node.set("position", position(attention.position()));
    node.put("score_scale", attention.scale());
    put(node, "score_softcap", attention.softcap(), 0);
    node.set("query_key_norm", norm(attention.queryKeyNorm()));
    node.set("attention_norm", norm(Optional.of(layer.attentionNorm())));
    node.set("after_attention_norm", norm(layer.afterAttention()));
    node.set("feed_forward", feedForward(layer.feedForward()));
    node.set("feed_forward_norm", norm(Optional.of(layer.feedForwardNorm())));
    node.set("after_feed_forward_norm", norm(layer.afterFeedForward()));
  }

  /** Such as "0-4, 6-10". */
  private static String ranges(List<Integer> numbers) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < numbers.size();) {
      int end = i;
      while (end + 1 < numbers.size() && numbers.get(end + 1) == numbers.get(end) + 1) {
        end++;
      }
      out.append(out.isEmpty() ? "" : ", ").append(numbers.get(i)).append(end > i ? "-" + numbers.get(end) : "");
      i = end + 1;
    }
    return out.toString();
  }

  private static ObjectNode norm(Optional<Norm> norm) {
    if (norm.isEmpty()) {
      return null;
    }
    return switch (norm.get()) {
      case Norm.Rms rms -> kind("rms").put("epsilon", rms.epsilon());
    };
  }

  private static ObjectNode position(Position position) {
    return switch (position) {
      case Position.Rope rope -> {
        ObjectNode node = kind("rope").put("base", rope.base()).put("width", rope.width()).put("pairs", rope.pairs().toString().toLowerCase(Locale.ROOT));
        switch (rope.scaling()) {
          case RopeScaling.Linear linear -> put(node, "factor", (float) linear.factor(), 1);
          case RopeScaling.Factors factors -> put(node, "factor", (float) factors.factor(), 1);
          case RopeScaling.LongRope longer -> node.put("original_context", longer.originalContext()).put("magnitude", longer.magnitude());
        }
        yield node;
      }
    };
  }

  private static ObjectNode feedForward(FeedForwardSpec feedForward) {
    return switch (feedForward) {
      case FeedForwardSpec.Gated gated -> kind("gated").put("hidden", gated.hidden()).put("activation", gated.activation().toString().toLowerCase(Locale.ROOT));
    };
  }

  private static ObjectNode kind(String kind) {
    return JsonNodeFactory.instance.objectNode().put("kind", kind);
  }

  /** Null where the number stands for nothing being done. */
  private static void put(ObjectNode node, String name, float value, float nothing) {
    if (value == nothing) {
      node.putNull(name);
    } else {
      node.put(name, value);
    }
  }
}
