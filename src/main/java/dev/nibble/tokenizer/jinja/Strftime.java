package dev.nibble.tokenizer.jinja;

import java.time.LocalDateTime;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;

/** Python's {@code strftime} of a time without zone, in the C locale. */
final class Strftime {
  private static final String[] DAYS = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
  private static final String[] MONTHS = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"};

  private Strftime() {}

  static Text format(LocalDateTime time, Text format, Work work) {
    String value = format.value();
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; i < value.length(); i++) {
      if (value.charAt(i) != '%' || i + 1 == value.length()) {
        out.add(format, i, i + 1);
        continue;
      }
      boolean bare = value.charAt(i + 1) == '-' && i + 2 < value.length();
      int at = i + (bare ? 2 : 1);
      String field = field(time, value.charAt(at));
      if (field == null) {
        out.add(format, i, at + 1);
      } else {
        out.add(bare && field.length() > 1 ? stripped(field) : field, format.origin().isOwn(i));
      }
      i = at;
    }
    return out.text();
  }

  private static String stripped(String field) {
    int from = 0;
    while (from < field.length() - 1 && field.charAt(from) == '0') {
      from++;
    }
    return field.substring(from);
  }

  private static String two(int number) {
    return number < 10 ? "0" + number : Integer.toString(number);
  }

  private static String padded(int number, int width) {
    String digits = Integer.toString(number);
    return "0".repeat(Math.max(0, width - digits.length())) + digits;
  }

  private static String spaced(int number) {
    return number < 10 ? " " + number : Integer.toString(number);
  }

  private static String field(LocalDateTime time, char letter) {
    int weekday = time.getDayOfWeek().getValue();
    int hour = time.getHour() % 12 == 0 ? 12 : time.getHour() % 12;
    return switch (letter) {
      case 'a' -> DAYS[weekday - 1].substring(0, 3);
      case 'A' -> DAYS[weekday - 1];
      case 'b', 'h' -> MONTHS[time.getMonthValue() - 1].substring(0, 3);
      case 'B' -> MONTHS[time.getMonthValue() - 1];
      case 'c' -> field(time, 'a') + " " + field(time, 'b') + " " + spaced(time.getDayOfMonth()) + " " + field(time, 'T') + " " + time.getYear();
      case 'C' -> two(time.getYear() / 100);
      case 'd' -> two(time.getDayOfMonth());
      case 'D', 'x' -> two(time.getMonthValue()) + "/" + two(time.getDayOfMonth()) + "/" + two(time.getYear() % 100);
      case 'e' -> spaced(time.getDayOfMonth());
      case 'f' -> padded(time.get(ChronoField.MICRO_OF_SECOND), 6);
      case 'F' -> time.getYear() + "-" + two(time.getMonthValue()) + "-" + two(time.getDayOfMonth());
      case 'g' -> two(time.get(IsoFields.WEEK_BASED_YEAR) % 100);
      case 'G' -> Integer.toString(time.get(IsoFields.WEEK_BASED_YEAR));
      case 'H' -> two(time.getHour());
      case 'I' -> two(hour);
      case 'j' -> padded(time.getDayOfYear(), 3);
      case 'k' -> spaced(time.getHour());
      case 'l' -> spaced(hour);
      case 'm' -> two(time.getMonthValue());
      case 'M' -> two(time.getMinute());
      case 'n' -> "\n";
      case 'p' -> time.getHour() < 12 ? "AM" : "PM";
      case 'P' -> time.getHour() < 12 ? "am" : "pm";
      case 'r' -> field(time, 'I') + ":" + field(time, 'M') + ":" + field(time, 'S') + " " + field(time, 'p');
      case 'R' -> two(time.getHour()) + ":" + two(time.getMinute());
      case 'S' -> two(time.getSecond());
      case 't' -> "\t";
      case 'T', 'X' -> two(time.getHour()) + ":" + two(time.getMinute()) + ":" + two(time.getSecond());
      case 'u' -> Integer.toString(weekday);
      case 'U' -> two((time.getDayOfYear() + 6 - weekday % 7) / 7);
      case 'V' -> two(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
      case 'w' -> Integer.toString(weekday % 7);
      case 'W' -> two((time.getDayOfYear() + 6 - (weekday + 6) % 7) / 7);
      case 'y' -> two(time.getYear() % 100);
      case 'Y' -> Integer.toString(time.getYear());
      case 'z', 'Z' -> "";
      case '%' -> "%";
      default -> null;
    };
  }
}
