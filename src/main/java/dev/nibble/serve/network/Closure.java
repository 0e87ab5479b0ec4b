package dev.nibble.serve.network;

import java.util.Locale;

/** Why a connection was closed, or a request refused, before anybody looked at what it asks for. */
enum Closure {
  TOO_MANY("there are as many connections as there may be (nibble.connections.max, or the files the process may open), all of them busy"),
  TOO_MANY_OF_ADDRESS("its address has as many connections as it may have (nibble.connections.max-per-address), all of them busy"),
  MADE_ROOM("it was idle, and there was no room for a new one (nibble.connections.max, nibble.connections.max-per-address, or the files the process may open)"),
  SLOW_HEAD("no request arrived whole in time (nibble.connections.head-timeout)"),
  SLOW_READER("it read nothing of what was ready for it (nibble.connections.read-timeout)"),
  IDLE("it was idle (nibble.connections.idle-timeout)"),
  TOO_MANY_REQUESTS("it sent too many requests ahead (nibble.connections.max-requests-per-connection), or there are too many in all (nibble.connections.max-requests)"),
  UNFINISHED("its messages do not arrive whole (nibble.connections.max-unfinished, nibble.connections.head-timeout)"),
  FRAME_FLOOD("it sent HTTP/2 frames that ask for nothing (nibble.connections.max-resets)"),
  OTHER_PROTOCOL("it speaks another protocol than the port does"),
  MALFORMED("its HTTP is not well-formed");

  private final String reason;

  Closure(String reason) {
    this.reason = reason;
  }

  /** For people: the rest of a sentence. */
  String reason() {
    return reason;
  }

  /** For metrics. */
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
