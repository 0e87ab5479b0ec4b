package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.SpecialTokens;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Who decides whether names of special tokens stand for these. */
final class SpecialTokensTest {
  private static final Optional<Boolean> UNSAID = Optional.empty();

  @Test
  void requestsDecideAsFarAsTheServiceLetsThem() {
    assertThat(SpecialTokens.REQUEST.parses(UNSAID)).isFalse();
    assertThat(SpecialTokens.REQUEST.parses(Optional.of(true))).isTrue();
    assertThat(SpecialTokens.REQUEST.parses(Optional.of(false))).isFalse();
    assertThat(SpecialTokens.ALWAYS.parses(UNSAID)).isTrue();
    assertThat(SpecialTokens.ALWAYS.parses(Optional.of(false))).isFalse();
    assertThat(SpecialTokens.NEVER.parses(UNSAID)).isFalse();
    assertThat(SpecialTokens.NEVER.parses(Optional.of(false))).isFalse();
    assertThatThrownBy(() -> SpecialTokens.NEVER.parses(Optional.of(true))).isInstanceOf(EngineException.class).hasMessageContaining("nibble.special-tokens is never");
  }
}
