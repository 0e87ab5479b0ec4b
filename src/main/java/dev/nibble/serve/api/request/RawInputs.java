package dev.nibble.serve.api.request;

import dev.nibble.engine.EngineException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalInt;

/** Elements of input tensors that came as bytes beside the JSON form of a request; asked for the inputs in their order, each once. */
public interface RawInputs {
  /** The bytes of an input; empty where its elements are in the JSON form. */
  Optional<ByteBuffer> next(Input input);

  /** Where the bytes of an input are, for errors. */
  String path(Input input);

  /** To be called after the last input. @throws EngineException INVALID_REQUEST if there are bytes of none */
  void end();

  /**
   * An input, as far as it was read.
   *
   * @param place among the inputs, from 0
   * @param name of the tensor
   * @param announced its parameter {@code binary_data_size}
   */
  record Input(int place, String name, OptionalInt announced) {
    String path() {
      return "inputs[" + place + "]";
    }
  }

  /** Of a body that is JSON text alone. */
  static RawInputs none() {
    return new RawInputs() {
      @Override
      public Optional<ByteBuffer> next(Input input) {
        if (input.announced().isPresent()) {
          throw EngineException.invalid(path(input), path(input) + " announces bytes of the tensor " + input.name()
              + " after the JSON text, but the header " + Binary.HEADER + ", which says where those begin, is missing.");
        }
        return Optional.empty();
      }

      @Override
      public String path(Input input) {
        return input.path() + ".parameters.binary_data_size";
      }

      @Override
      public void end() {}
    };
  }

  /** Of a body whose JSON text is followed by the bytes of tensors, in the inputs' order: the binary tensor data extension. */
  final class Binary implements RawInputs {
    /** The header that says how many bytes the JSON text has. */
    public static final String HEADER = "Inference-Header-Content-Length";

    private final ByteBuffer rest;

    public Binary(ByteBuffer afterJson) {
      rest = afterJson;
    }

    @Override
    public Optional<ByteBuffer> next(Input input) {
      if (input.announced().isEmpty()) {
        return Optional.empty();
      }
      int size = input.announced().getAsInt();
      if (size < 0 || size > rest.remaining()) {
        throw EngineException.invalid(path(input), path(input) + " is " + size + ", but " + rest.remaining() + " bytes are left in the body for the tensor "
            + input.name() + ".");
      }
      ByteBuffer bytes = rest.slice(rest.position(), size);
      rest.position(rest.position() + size);
      return Optional.of(bytes);
    }

    @Override
    public String path(Input input) {
      return input.path() + ".parameters.binary_data_size";
    }

    @Override
    public void end() {
      if (rest.hasRemaining()) {
        throw EngineException.invalid("inputs", "The body ends with " + rest.remaining() + " bytes that no tensor announces by its parameter binary_data_size.");
      }
    }
  }
}
