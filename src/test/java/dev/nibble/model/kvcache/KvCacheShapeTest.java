package dev.nibble.model.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.kernel.PageFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Sizes told in advance against what sequences take. */
final class KvCacheShapeTest {
  @Test
  void sequencesTakeWhatTheShapeSays() {
    for (KvCacheFormat format : List.of(KvCacheFormat.F32, KvCacheFormat.INT8, new KvCacheFormat(PageFormat.INT4, PageFormat.INT2, 200, true))) {
      for (int tokens : new int[] {1, 63, 64, 65, 128, 129, 1000, 4096}) {
        KvCacheShape shape = new KvCacheShape(3, 2, 32, format);
        PagePool pool = new PagePool(shape);
        try (KvCache cache = new KvCache(pool, tokens)) {
          cache.reserve(tokens);
          assertThat(shape.sequenceBytes(tokens)).as("%s, %d tokens", format, tokens).isEqualTo(pool.allocatedBytes());
        }
      }
    }
  }
}
