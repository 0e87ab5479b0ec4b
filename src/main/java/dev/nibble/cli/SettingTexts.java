package dev.nibble.cli;

import dev.nibble.serve.api.Settings;
import dev.nibble.serve.config.Setting;
import java.util.Collections;
import java.util.Enumeration;
import java.util.ResourceBundle;

/** What the help says of options that mean a setting: their {@code descriptionKey} is its name. */
final class SettingTexts extends ResourceBundle {
  @Override
  protected Object handleGetObject(String key) {
    return Settings.ALL.stream().filter(setting -> setting.name().equals(key)).map(Setting::help).findFirst().orElse(null);
  }

  @Override
  public Enumeration<String> getKeys() {
    return Collections.enumeration(Settings.ALL.stream().map(Setting::name).toList());
  }
}
