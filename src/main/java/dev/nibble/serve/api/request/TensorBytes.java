package dev.nibble.serve.api.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.nibble.engine.EngineException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Tensors' elements as the protocol's bytes, over HTTP after the JSON text and over gRPC in {@code raw_…_contents}: little-endian, in row-major order, and each
 * element of datatype BYTES after its length in 4 bytes.
 */
public final class TensorBytes {
  private static final int LENGTH_BYTES = 4;

  private TensorBytes() {}

  /**
   * Reads elements.
   *
   * @param bytes of the whole tensor
   * @param shaped how many elements its shape says that there are; of more, one is read
   * @param datatype one that {@link InferInput} takes
   * @param tensor the tensor's name
   * @param path where the bytes are in the request
   * @throws EngineException INVALID_REQUEST naming the tensor if the bytes are not what its datatype says
   */
  static List<JsonNode> read(ByteBuffer bytes, long shaped, String datatype, String tensor, String path) {
    JsonNodeFactory nodes = JsonNodeFactory.instance;
    ByteBuffer in = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
    int size = size(datatype, tensor, path);
    List<JsonNode> elements = new ArrayList<>();
    while (in.hasRemaining() && elements.size() <= shaped) {
      if (in.remaining() < size) {
        throw tooShort(tensor, path);
      }
      elements.add(switch (datatype) {
        case "BOOL" -> nodes.booleanNode(in.get() != 0);
        case "INT8" -> nodes.numberNode((int) in.get());
        case "UINT8" -> nodes.numberNode(Byte.toUnsignedInt(in.get()));
        case "INT16" -> nodes.numberNode((int) in.getShort());
        case "UINT16" -> nodes.numberNode(Short.toUnsignedInt(in.getShort()));
        case "INT32" -> nodes.numberNode(in.getInt());
        case "UINT32" -> nodes.numberNode(Integer.toUnsignedLong(in.getInt()));
        case "INT64" -> nodes.numberNode(in.getLong());
        case "UINT64" -> nodes.numberNode(new BigInteger(Long.toUnsignedString(in.getLong())));
        case "FP16" -> nodes.numberNode(Float.float16ToFloat(in.getShort()));
        case "FP32" -> nodes.numberNode(in.getFloat());
        case "FP64" -> nodes.numberNode(in.getDouble());
        case "BYTES" -> {
          long length = Integer.toUnsignedLong(in.getInt());
          if (length > in.remaining()) {
            throw tooShort(tensor, path);
          }
          ByteBuffer element = in.slice(in.position(), (int) length);
          in.position(in.position() + (int) length);
          yield nodes.textNode(text(element, tensor, path));
        }
        default -> throw notTaken(datatype, tensor, path);
      });
    }
    return elements;
  }

  /** Bytes of an element, at least. */
  private static int size(String datatype, String tensor, String path) {
    return switch (datatype) {
      case "BOOL", "INT8", "UINT8" -> 1;
      case "INT16", "UINT16", "FP16" -> 2;
      case "INT32", "UINT32", "FP32" -> 4;
      case "INT64", "UINT64", "FP64" -> 8;
      case "BYTES" -> LENGTH_BYTES;
      default -> throw notTaken(datatype, tensor, path);
    };
  }

  private static EngineException notTaken(String datatype, String tensor, String path) {
    return EngineException.invalid(path, "The tensor " + tensor + " is of datatype " + datatype + ", which is not taken as bytes.");
  }

  private static EngineException tooShort(String tensor, String path) {
    return EngineException.invalid(path, "The bytes of the tensor " + tensor + " end in the middle of an element.");
  }

  /**
   * Text of UTF-8.
   *
   * @throws EngineException INVALID_REQUEST naming the tensor if it is none
   */
  public static String text(ByteBuffer bytes, String tensor, String path) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException malformed) {
      throw EngineException.invalid(path, "The bytes of the tensor " + tensor + " are not UTF-8.");
    }
  }

  /** The bytes of a tensor of one text. */
  public static byte[] of(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(LENGTH_BYTES + utf8.length).order(ByteOrder.LITTLE_ENDIAN).putInt(utf8.length).put(utf8).array();
  }

  /** The bytes of a tensor of one integer of 32 bits. */
  public static byte[] of(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }
}
