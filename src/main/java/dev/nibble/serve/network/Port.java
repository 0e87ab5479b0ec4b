package dev.nibble.serve.network;

/** The two ports. */
enum Port {
  REST("rest"),
  GRPC("grpc");

  private final String label;

  Port(String label) {
    this.label = label;
  }

  String label() {
    return label;
  }
}
