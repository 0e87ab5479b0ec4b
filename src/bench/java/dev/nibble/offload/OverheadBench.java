package dev.nibble.offload;

import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.offload.v1.DescribeRequest;
import dev.nibble.offload.v1.GenerateRequest;
import dev.nibble.offload.v1.GenerateResponse;
import dev.nibble.offload.v1.Model;
import dev.nibble.offload.v1.Sampling;
import dev.nibble.offload.v1.Start;
import dev.nibble.v1.GenerationOptions;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.OffloadPolicy;
import dev.nibble.v1.SamplingOptions;
import dev.nibble.v1.StreamGenerateRequest;
import dev.nibble.v1.StreamGenerateResponse;
import dev.nibble.v1.TokenizeRequest;
import dev.nibble.v1.TokenizerServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/**
 * What a gateway between costs: the same answer asked of an accelerator directly and through a gateway, in turns. Prints medians of the time per token, and their
 * difference. {@code src/bench/offload.sh} starts both and runs it.
 */
public final class OverheadBench {
  private static final int TOKENS = 200;
  private static final int WARM_UP = 10;
  private static final int ROUNDS = 40;
  private static final String PROMPT = "Once upon a time";

  private OverheadBench() {}

  /** Arguments: ports of the gateway's and of the accelerator's gRPC on this machine. */
  public static void main(String[] arguments) throws Exception {
    try (GrpcChannels channels = new GrpcChannels()) {
      ManagedChannel gateway = open(channels, arguments[0]);
      ManagedChannel accelerator = open(channels, arguments[1]);
      List<Integer> prompt = TokenizerServiceGrpc.newBlockingStub(gateway).tokenize(TokenizeRequest.newBuilder().setText(PROMPT).setAddSpecial(true).build()).getIdsList();
      Model model = AcceleratorServiceGrpc.newBlockingStub(accelerator).describe(DescribeRequest.newBuilder().setProtocolVersion(1).build()).getModels(0);
      List<Double> direct = new ArrayList<>();
      List<Double> through = new ArrayList<>();
      for (int round = 0; round < WARM_UP + ROUNDS; round++) {
        double alone = direct(accelerator, model, prompt);
        double behind = through(gateway);
        if (round >= WARM_UP) {
          direct.add(alone);
          through.add(behind);
        }
      }
      double[] difference = new double[ROUNDS];
      Arrays.setAll(difference, round -> through.get(round) - direct.get(round));
      Arrays.sort(difference);
      System.out.printf("ms per token, medians of %d answers of %d tokens: directly %.3f, through the gateway %.3f, difference %.3f (quartiles %.3f to %.3f)%n", ROUNDS, TOKENS,
          median(direct), median(through), difference[ROUNDS / 2], difference[ROUNDS / 4], difference[3 * ROUNDS / 4]);
      gateway.shutdownNow();
      accelerator.shutdownNow();
    }
  }

  private static ManagedChannel open(GrpcChannels channels, String port) throws Exception {
    return channels.open(new InetSocketAddress("localhost", Integer.parseInt(port)), "localhost", Optional.empty());
  }

  private static double median(List<Double> values) {
    return values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
  }

  /** From the first token on, so that prefill and the way there do not count. */
  private static double perToken(long first, long last, int tokens) {
    if (tokens != TOKENS) {
      throw new IllegalStateException(tokens + " tokens came, not " + TOKENS);
    }
    return (last - first) * 1e-6 / (TOKENS - 1);
  }

  private static double direct(ManagedChannel accelerator, Model model, List<Integer> prompt) throws InterruptedException {
    Start start = Start.newBuilder().setFileSha256(model.getFileSha256()).setTokenizerSha256(model.getTokenizerSha256()).addAllPromptIds(prompt).setMaxTokens(TOKENS)
        .setSampling(Sampling.newBuilder().setTopP(1).setRepetitionPenalty(1)).setCredit(TOKENS).setRequestId("bench").build();
    long[] times = new long[TOKENS];
    int[] count = {0};
    CountDownLatch end = new CountDownLatch(1);
    AcceleratorServiceGrpc.newStub(accelerator).generate(new StreamObserver<>() {
      @Override
      public void onNext(GenerateResponse response) {
        for (int i = 0; i < response.getTokens().getIdsCount(); i++) {
          times[count[0]++] = System.nanoTime();
        }
      }

      @Override
      public void onError(Throwable failure) {
        end.countDown();
      }

      @Override
      public void onCompleted() {
        end.countDown();
      }
    }).onNext(GenerateRequest.newBuilder().setStart(start).build());
    end.await();
    return perToken(times[0], times[TOKENS - 1], count[0]);
  }

  private static double through(ManagedChannel gateway) {
    GenerationOptions options = GenerationOptions.newBuilder().setText(PROMPT).setMaxTokens(TOKENS).setIgnoreEndOfGeneration(true)
        .setSampling(SamplingOptions.newBuilder().setTemperature(0)).setOffload(OffloadPolicy.OFFLOAD_POLICY_REQUIRE).build();
    Iterator<StreamGenerateResponse> answer = GenerationServiceGrpc.newBlockingStub(gateway).streamGenerate(StreamGenerateRequest.newBuilder().setOptions(options).build());
    long first = 0;
    long last = 0;
    int count = 0;
    while (answer.hasNext()) {
      if (answer.next().hasToken()) {
        last = System.nanoTime();
        first = count++ == 0 ? last : first;
      }
    }
    return perToken(first, last, count);
  }
}
