package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.serve.api.Settings;
import dev.nibble.serve.config.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What is told of settings, in documentation and help, is made of the one place where each is written. A table that differs is printed as it has to be. */
final class SettingsTableTest {
  private static final List<OptionSpec> OPTIONS = Main.commandLine().getSubcommands().get("serve").getCommandSpec().options();

  private static String option(Setting<?> setting) {
    return OPTIONS.stream().filter(option -> setting.name().equals(option.descriptionKey())).map(option -> "`" + option.longestName()
        + (option.arity().max() == 0 ? "" : " " + option.paramLabel()) + "`").collect(Collectors.joining());
  }

  private static String table(List<Setting<?>> settings) {
    return settings.stream().map(setting -> String.join(" | ", "| " + option(setting), "`" + setting.name() + "`", "`" + setting.variable() + "`", setting.kind().allowed(),
        setting.unset(), setting.meaning()) + " |").map(line -> line.replace("|  |", "| |") + "\n")
        .collect(Collectors.joining("", "| option of `serve` | property | environment | allowed | default | meaning |\n| --- | --- | --- | --- | --- | --- |\n", "\n"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"README.md", "docs/offload.md", "docs/security.md"})
  void theDocumentationHasTheProgramsTable(String page) throws IOException {
    List<Setting<?>> settings = switch (page) {
      case "README.md" -> Settings.GENERAL;
      case "docs/offload.md" -> Settings.OFFLOAD;
      default -> Settings.CONNECTIONS;
    };
    String table = table(settings);
    assertThat(Files.readString(Path.of(page)).contains(table)).as(page + " needs this table:\n\n" + table).isTrue();
  }

  /** What the framework reads of itself is what the program's tables say. */
  @Test
  void theFrameworksDefaultsAreOurs() throws IOException {
    Properties properties = new Properties();
    try (var in = Files.newInputStream(Path.of("src/main/resources/application.properties"))) {
      properties.load(in);
    }
    for (Setting<?> setting : Settings.ALL) {
      assertThat(properties.getProperty(setting.name(), setting.unset())).as(setting.name()).isEqualTo(setting.unset());
    }
    assertThat(properties).containsKey(Settings.GRPC_PORT.name());
  }

  @Test
  void optionsThatMeanSettingsSaySo() {
    for (CommandLine command : Main.commandLine().getSubcommands().values()) {
      String help = command.getUsageMessage(CommandLine.Help.Ansi.OFF).replaceAll("\\s+", " ");
      for (OptionSpec option : command.getCommandSpec().options()) {
        assertThat(String.join("", option.description())).as(command.getCommandName() + " " + option.longestName()).isNotBlank();
        Settings.ALL.stream().filter(setting -> setting.name().equals(option.descriptionKey())).forEach(setting -> assertThat(help).contains(setting.help()));
      }
    }
    assertThat(Settings.ALL.stream().filter(setting -> !option(setting).isEmpty())).hasSize(11);
  }
}
