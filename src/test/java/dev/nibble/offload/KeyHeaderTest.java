package dev.nibble.offload;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.SparseFiles;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The file of the accelerators' key, as it comes and goes while calls are made every two seconds for weeks. */
final class KeyHeaderTest {
  private static final int CALLS = 50;

  @TempDir
  Path folder;

  private final List<String> log = new ArrayList<>();
  private final List<String> sent = new ArrayList<>();
  private final Logger logger = Logger.getLogger(KeyHeader.class.getName());
  private final Handler handler = new Handler() {
    @Override
    public void publish(LogRecord line) {
      log.add(line.getLevel() + " " + line.getMessage());
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  };

  /** Keeps the header that a call would have been made with. */
  private final Channel channel = new Channel() {
    @Override
    public <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, CallOptions options) {
      return new ClientCall<>() {
        @Override
        public void start(Listener<R> listener, Metadata headers) {
          sent.add(String.valueOf(headers.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER))));
        }

        @Override
        public void request(int messages) {}

        @Override
        public void cancel(String message, Throwable cause) {}

        @Override
        public void halfClose() {}

        @Override
        public void sendMessage(Q message) {}
      };
    }

    @Override
    public String authority() {
      return "accelerator";
    }
  };

  @BeforeEach
  void listen() {
    logger.addHandler(handler);
  }

  @AfterEach
  void leave() {
    logger.removeHandler(handler);
  }

  private void call(KeyHeader header, int times) {
    for (int i = 0; i < times; i++) {
      header.<Object, Object>interceptCall(null, CallOptions.DEFAULT, channel).start(null, new Metadata());
    }
  }

  @Test
  void whatIsWrongIsSaidOnceAndAgainWhenItChanges() throws Exception {
    Path file = folder.resolve("key");
    KeyHeader header = new KeyHeader(file);
    call(header, CALLS);
    assertThat(log).containsExactly("WARNING Accelerators are asked without a key, as there is none in " + file + ": no such file. Said once, until that changes.");
    assertThat(sent).hasSize(CALLS).containsOnly("null");

    Files.writeString(file, "\n");
    call(header, CALLS);
    assertThat(log).hasSize(2).last().asString().endsWith("it is empty. Said once, until that changes.");

    Files.writeString(file, "nib_one\nnib_two\n");
    call(header, CALLS);
    assertThat(log).hasSize(3).last().asString().contains("something else than one line").doesNotContain("nib_");
    assertThat(sent).containsOnly("null");

    sent.clear();
    Files.writeString(file, " nib_one\n");
    call(header, CALLS);
    assertThat(sent).hasSize(CALLS).containsOnly("Bearer nib_one");
    assertThat(log).hasSize(4).last().asString().isEqualTo("INFO The accelerators' key can be read again: " + file + ".");

    Files.delete(file);
    call(header, CALLS);
    assertThat(log).hasSize(5).last().asString().contains("no such file");
  }

  /** It would be read into memory at each call. */
  @Test
  void aLargeFileIsNoKey() throws Exception {
    Path file = Files.createFile(folder.resolve("key"));
    SparseFiles.extend(file, 5L << 30);
    call(new KeyHeader(file), CALLS);
    assertThat(log).singleElement().asString().contains(file + " is larger than 8192 bytes");
    assertThat(sent).hasSize(CALLS).containsOnly("null");
  }

  /** Opening a pipe waits for a writer, and calls with it. */
  @Test
  @Timeout(20)
  void aPipeIsNoKey() throws Exception {
    Path pipe = folder.resolve("pipe");
    Assumptions.assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0, "skipped: no pipe can be made here");
    call(new KeyHeader(pipe), CALLS);
    assertThat(log).singleElement().asString().contains("is a pipe, not a regular file");
    assertThat(sent).hasSize(CALLS).containsOnly("null");
  }
}
