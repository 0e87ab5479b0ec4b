package dev.nibble.tokenizer.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Python's {@code sorted}: stable, and by "less than" alone, which may fail or be no order at all. */
final class Sorting {
  private static final int COMPARISON = 8; // steps
  private static final int SHORT = 64; // Python sorts fewer by insertion, and so what is compared first

  private Sorting() {}

  /**
   * Items in the order of their keys.
   *
   * @param keys one for each item
   */
  static List<Value> sorted(List<Value> items, List<Value> keys, boolean reverse, Work work) {
    work.elements(items.size());
    Integer[] order = new Integer[items.size()];
    for (int i = 0; i < order.length; i++) {
      order[i] = reverse ? order.length - 1 - i : i; // equal ones stay in their order either way
    }
    sort(order, 0, order.length, keys, work);
    List<Value> out = new ArrayList<>(items.size());
    for (Integer index : order) {
      out.add(items.get(index));
    }
    if (reverse) {
      Collections.reverse(out);
    }
    return out;
  }

  private static boolean less(Integer a, Integer b, List<Value> keys, Work work) {
    work.spend(COMPARISON);
    return Operators.less(keys.get(a), keys.get(b), work);
  }

  private static void sort(Integer[] order, int from, int to, List<Value> keys, Work work) {
    if (to - from < SHORT) {
      insert(order, from, to, keys, work);
      return;
    }
    int middle = (from + to) >>> 1;
    sort(order, from, middle, keys, work);
    sort(order, middle, to, keys, work);
    Integer[] left = java.util.Arrays.copyOfRange(order, from, middle);
    int at = from;
    int right = middle;
    for (int i = 0; i < left.length;) {
      order[at++] = right < to && less(order[right], left[i], keys, work) ? order[right++] : left[i++];
    }
  }

  private static void insert(Integer[] order, int from, int to, List<Value> keys, Work work) {
    int run = from + 1;
    if (run >= to) {
      return;
    }
    boolean descending = less(order[run], order[from], keys, work);
    run++;
    while (run < to && less(order[run], order[run - 1], keys, work) == descending) {
      run++;
    }
    if (descending) {
      Collections.reverse(java.util.Arrays.asList(order).subList(from, run));
    }
    for (int i = run; i < to; i++) {
      Integer pivot = order[i];
      int low = from;
      int high = i;
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (less(pivot, order[middle], keys, work)) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      work.spend(i - low);
      System.arraycopy(order, low, order, low + 1, i - low);
      order[low] = pivot;
    }
  }
}
