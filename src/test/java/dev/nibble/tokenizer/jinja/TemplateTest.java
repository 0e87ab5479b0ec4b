package dev.nibble.tokenizer.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/** Whose characters are whose, where errors are, and that no template runs for ever, fills the memory or the stack. */
final class TemplateTest {
  private static final int SMALL_STACK = 512 << 10; // bytes

  private static Text render(String template, Map<String, Object> variables) {
    Map<String, Value> values = new HashMap<>();
    variables.forEach((name, value) -> values.put(name, Value.foreign(value)));
    return new Template(template).render(values, () -> LocalDateTime.of(2026, 2, 3, 14, 5), new Limits(1 << 24, 1 << 20, () -> { }));
  }

  private static TemplateException failure(String template) {
    return catchThrowableOfType(TemplateException.class, () -> render(template, Map.of()));
  }

  /** The template's own characters as they are, others as dots. */
  private static String own(String template, Map<String, Object> variables) {
    Text text = render(template, variables);
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.value().length(); i++) {
      out.append(text.isOwn(i, i + 1) ? text.value().charAt(i) : '.');
    }
    return out.toString();
  }

  @Test
  void whateverBecomesOfTextItsCharactersStayWhoseTheyAre() {
    Map<String, Object> x = Map.of("x", "im_end", "n", 5, "l", List.of("ab", "cd"));
    assertThat(own("<|{{ x }}|>", x)).isEqualTo("<|......|>");
    assertThat(own("{{ '<|' ~ x ~ '|>' }}{{ '<|' + x + '|>' }}", x)).isEqualTo("<|......|><|......|>");
    assertThat(own("{{ ('<|' ~ x ~ '|>')[1:5] }}{{ ('<|' ~ x ~ '|>')[::-1] }}", x)).isEqualTo("|...>|......|<");
    assertThat(own("{{ ('a' ~ x ~ 'ß') | upper }}{{ ('AB' ~ x) | title }}", x)).isEqualTo("A......SSAb......");
    assertThat(own("{{ x | replace('_', '<|') }}{{ '<im>' | replace('im', x) }}", x)).isEqualTo("..<|...<......>");
    assertThat(own("{{ l | join('<|') }}{{ '<|%s|>' % x }}{{ '<|{}|>'.format(x) }}", x)).isEqualTo("..<|..<|......|><|......|>");
    assertThat(own("{{ ('  <' ~ x ~ ' ') | trim }}{{ ('<' ~ x ~ '>').split('_')[1] }}", x)).isEqualTo("<......" + "...>");
    assertThat(own("{{ [x, '<|'] | tojson }}{{ ['<|', x] }}", x)).isEqualTo("............<|....<|............");
    assertThat(own("{% set y %}<{{ x }}>{% endset %}{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(y) }}", x)).isEqualTo("[<......>]");
    // A number counts as whose it is: the template's are its own, as in <|image_1|>.
    assertThat(own("<|{{ n }}|><|{{ n + 1 }}|>{% for i in l %}<|{{ loop.index }}|>{% endfor %}", x)).isEqualTo("<|.|><|.|><|1|><|2|>");
  }

  /** As jinja2's sandbox formats with Python 3.11: only whole fields count on, or end the counting. */
  @Test
  void fieldsOfFormatsAreCountedAsPythonCountsThem() {
    assertThat(render("{{ '{}{0[0]}'.format([5], [6]) }} {{ '{0[0]}{}'.format([5], [6]) }} {{ '{a[0]}{}{}'.format(1, 2, a=[7]) }}", Map.of()).value())
        .isEqualTo("[5]5 5[5] 712");
    for (String template : List.of("{{ '{[0]}'.format([5]) }}", "{{ '{.upper}'.format('a') }}", "{{ '{[0]!s:+.2f}'.format(2) }}")) {
      assertThat(failure(template).kind()).as(template).isEqualTo(TemplateException.Kind.KEY);
      assertThat(failure(template)).as(template).hasMessageContaining("''");
    }
    for (String template : List.of("{{ '{}{0}'.format(5) }}", "{{ '{0}{}'.format(5) }}")) {
      assertThat(failure(template)).as(template).hasMessageContaining("cannot switch from manual field specification to automatic field numbering");
    }
  }

  @Test
  void errorsHaveTheirPlace() {
    TemplateException syntax = failure("a\r\n  {{ 1 + }}");
    assertThat(syntax.kind()).isEqualTo(TemplateException.Kind.SYNTAX);
    assertThat(List.of(syntax.line(), syntax.column())).containsExactly(2, 10);
    TemplateException filter = failure("x\n\n {{ 'a' | nofilter }}");
    assertThat(filter).hasMessage("No filter named 'nofilter'.");
    assertThat(List.of(filter.line(), filter.column())).containsExactly(3, 11);
    TemplateException undefined = failure("{{ messages\n  [0].role }}");
    assertThat(undefined).hasMessage("'messages' is undefined");
    assertThat(List.of(undefined.line(), undefined.column())).containsExactly(2, 3);
  }

  @Test
  void hostileTemplatesEndAtTheirLimits() {
    String big = "{% set x = 'ab' %}" + "{% set x = x + x %}".repeat(18);
    List<String> hostile = List.of("{% macro m(x) %}{{ m(x) }}{{ m(x) }}{% endmacro %}{{ m(1) }}",
        "{% macro m(x) %}{% if x > 0 %}{{ m(x - 1) }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(60) }}", "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% block a %}{{ self.a() }}{% endblock %}", "{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}", "{{ " + "not ".repeat(100_000) + "1 }}",
        "{{ 1" + " + 1".repeat(100_000) + " }}", "{{ 'a'" + "|trim".repeat(100_000) + " }}", "{{ a" + ".a".repeat(100_000) + " }}",
        "{{ " + "(".repeat(90) + "1" + ("+1".repeat(390) + ")").repeat(90) + " }}", "{% if 1 %}".repeat(40_000) + "{% endif %}".repeat(40_000),
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "{% set l = [1] %}" + "{% set l = l + l %}".repeat(60),
        "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}", "{% set l = [1] %}" + "{% set l = [l, l] %}".repeat(60) + "{{ l }}",
        "{% set l = [1] %}{% set m = [1] %}" + "{% set l = [l, l] %}{% set m = [m, m] %}".repeat(60) + "{{ l == m }}", "{% set l = (1,) %}" + "{% set l = (l, l) %}".repeat(60) + "{{ {l: 1} }}",
        "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "{{ 2 ** 100000 ** 1000 }}", "{{ 'a' * 100000000000 }}", "{{ [1] * 100000000000 }}", "{{ 'a' | center(1000000000) }}",
        "{{ '%1000000000d' % 5 }}", "{{ '{:1000000000}'.format(5) }}", "{{ '%.1000000f' % 5 }}", "{% set x = 'a' %}" + "{% set x = x | replace('a', 'aaaaaaaaaa') %}".repeat(30),
        big + "{{ [x, x, x] | join(x) }}", big + "{% for i in range(1000) %}{% set y = x.split('a') %}{% endfor %}", big + "{% for i in range(5000) %}{% set y = x.strip(x) %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(5000) %}{% set ns.x = ns.x | map('string') %}{% endfor %}{{ ns.x | list }}", "{{ [[[[1]]]] | tojson(indent=10000000) }}");
    Assertions.assertTimeoutPreemptively(Duration.ofMinutes(2), () -> {
      for (String template : hostile) {
        AtomicReference<Object> outcome = new AtomicReference<>();
        Thread thread = new Thread(null, () -> {
          try {
            outcome.set(failure(template));
          } catch (Throwable e) {
            outcome.set(e);
          }
        }, "hostile", SMALL_STACK);
        thread.start();
        thread.join();
        assertThat(outcome.get()).as(template.substring(0, Math.min(80, template.length()))).isInstanceOfSatisfying(TemplateException.class,
            failure -> assertThat(failure.kind()).isEqualTo(TemplateException.Kind.LIMIT));
      }
    });
  }
}
