package dev.nibble.architecture;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.nibble.kernel.TiledMatrix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** One direction only: what each package must not know. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS) // the program is read once
final class PackageRulesTest {
  private final JavaClasses classes = new ClassFileImporter().withImportOption(new ImportOption.DoNotIncludeTests()).importPackages("dev.nibble");

  private void forbid(String from, String... to) {
    noClasses().that().resideInAPackage(from).should().dependOnClassesThat().resideInAnyPackage(to).check(classes);
  }

  @Test
  void formatsOfTensorsKnowNothingOfNibble() {
    classes().that().resideInAPackage("dev.nibble.tensor..").should().onlyDependOnClassesThat().resideInAnyPackage("dev.nibble.tensor..", "java..").check(classes);
  }

  /** Neither which class calls them nor which file they came from: what lies where in a tile is told by its layout. */
  @Test
  void kernelsAndLayoutsKnowNoMatrices() {
    noClasses().that().haveNameMatching("dev\\.nibble\\.kernel\\..*(Kernel[0-9]*|Reference|KernelProvider|ScalarKernels|VectorKernels[0-9]*)").should().dependOnClassesThat().areAssignableTo(TiledMatrix.class).check(classes);
    classes().that().resideInAPackage("dev.nibble.kernel.tile..").should()
        .onlyDependOnClassesThat().resideInAnyPackage("dev.nibble.kernel.tile..", "dev.nibble.tensor..", "java..").check(classes);
  }

  /** A vector outside a kernel would be boxed in a native image; and there may be no Vector API, of which only providers that need it may hear. */
  @Test
  void vectorsStayInKernels() {
    noClasses().that().resideInAPackage("dev.nibble..").and().haveNameNotMatching("dev\\.nibble\\.kernel\\.(.*Kernel[0-9]*|Lanes[0-9]+|VectorWidth)")
        .should().dependOnClassesThat().resideInAPackage("jdk.incubator.vector..").check(classes);
  }

  @Test
  void kernelsKnowNothingAbove() {
    forbid("dev.nibble.kernel..", "dev.nibble.format..", "dev.nibble.quant..", "dev.nibble.tokenizer..", "dev.nibble.model..",
        "dev.nibble.engine..", "dev.nibble.serve..", "dev.nibble.v1..");
  }

  @Test
  void filesKnowNoModelsAndQuantisersNoRequests() {
    forbid("dev.nibble.format..", "dev.nibble.quant..", "dev.nibble.model..", "dev.nibble.engine..", "dev.nibble.serve..", "dev.nibble.v1..");
    forbid("dev.nibble.quant..", "dev.nibble.engine..", "dev.nibble.serve..", "dev.nibble.v1..");
  }

  @Test
  void tokenizersKnowNoTensors() {
    forbid("dev.nibble.tokenizer..", "dev.nibble.kernel..", "dev.nibble.quant..", "dev.nibble.model..", "dev.nibble.engine..", "dev.nibble.serve..");
  }

  @Test
  void modelsKnowNoRequests() {
    forbid("dev.nibble.model..", "dev.nibble.quant..", "dev.nibble.engine..", "dev.nibble.serve..", "dev.nibble.v1..");
  }

  /** What a model is stands below how it is computed; only families know names of tensors. */
  @Test
  void specsAreValuesAndFamiliesReadThem() {
    forbid("dev.nibble.model.spec..", "dev.nibble.model.family..", "dev.nibble.model.block..", "dev.nibble.model.kvcache..", "dev.nibble.model");
    forbid("dev.nibble.model.family..", "dev.nibble.model.block..", "dev.nibble.model.kvcache..", "dev.nibble.model");
    forbid("dev.nibble.model.block..", "dev.nibble.model.family..", "dev.nibble.model");
    forbid("dev.nibble.model.kvcache..", "dev.nibble.model.family..", "dev.nibble.model.block..", "dev.nibble.model");
  }

  @Test
  void enginesKnowNoWires() {
    forbid("dev.nibble.engine..", "dev.nibble.serve..", "dev.nibble.v1..", "io.grpc..", "io.vertx..", "jakarta.ws..");
  }

  @Test
  void measuringEnergyKnowsNothingElse() {
    forbid("dev.nibble.energy..", "dev.nibble.kernel..", "dev.nibble.format..", "dev.nibble.quant..", "dev.nibble.tokenizer..", "dev.nibble.model..",
        "dev.nibble.engine..", "dev.nibble.serve..", "dev.nibble.v1..", "dev.nibble.cli..");
  }

  /** Mappings begin where files do, and packs are aligned for pages of up to 64 KiB: no code asks how large the machine's are. */
  @Test
  void nothingAsksForThePageSize() {
    noClasses().that().resideInAPackage("dev.nibble..").should().callMethodWhere(target(nameMatching("(?i)(get)?pageSize"))).check(classes);
  }

  @Test
  void servingKnowsNoKernels() {
    forbid("dev.nibble.serve..", "dev.nibble.kernel..");
  }

  /** What APIs share is in {@code serve.api}, which knows none of them. */
  @Test
  void apisDoNotSeeOneAnother() {
    String openAi = "dev.nibble.serve.openai..";
    String openInference = "dev.nibble.serve.oip..";
    String grpc = "dev.nibble.serve.grpc..";
    forbid("dev.nibble.serve.api..", openAi, openInference, grpc);
    forbid(openAi, openInference, grpc);
    forbid(openInference, openAi, grpc);
    forbid(grpc, openAi, openInference, "dev.nibble.serve.api.http..");
  }

  @Test
  void frameworksStayInServe() {
    noClasses().that().resideInAPackage("dev.nibble..").and().resideOutsideOfPackages("dev.nibble.serve..", "dev.nibble.v1..", "dev.nibble.cli..")
        .and().resideOutsideOfPackage("dev.nibble.offload.v1..")
        .should().dependOnClassesThat().resideInAnyPackage("io.quarkus..", "jakarta..", "io.vertx..", "io.smallrye..").check(classes);
    // Accelerators are called by gRPC: that is what the package is.
    noClasses().that().resideInAPackage("dev.nibble..").and().resideOutsideOfPackages("dev.nibble.serve..", "dev.nibble.v1..", "dev.nibble.cli..", "dev.nibble.offload..")
        .should().dependOnClassesThat().resideInAnyPackage("io.grpc..").check(classes);
  }

  @Test
  void offloadKnowsNotHowRequestsArrive() {
    forbid("dev.nibble.offload..", "dev.nibble.serve..", "dev.nibble.cli..", "dev.nibble.v1..", "dev.nibble.kernel..");
    forbid("dev.nibble.engine..", "dev.nibble.offload..");
  }

  @Test
  void whatOpensModelsKnowsNoWires() {
    forbid("dev.nibble.runtime..", "dev.nibble.offload..", "dev.nibble.serve..", "dev.nibble.cli..", "dev.nibble.v1..", "io.grpc..", "io.vertx..", "jakarta.ws..");
    forbid("dev.nibble.engine..", "dev.nibble.runtime..");
  }

  /** Among the packages of the first level, and among all. */
  @Test
  void packagesHaveNoCycles() {
    slices().matching("dev.nibble.(*)..").should().beFreeOfCycles().check(classes);
    slices().matching("dev.nibble.(**)").should().beFreeOfCycles().check(classes);
  }
}
