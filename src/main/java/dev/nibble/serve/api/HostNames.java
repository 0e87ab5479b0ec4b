package dev.nibble.serve.api;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The names that a service may be called by. A web page can have its own name resolved to this machine's address (DNS rebinding) and then talks to the
 * service as if it were its own; but it can't make a browser send an address, or a name that nobody can register, for it. So those are always the
 * service's, and others have to be named.
 */
public final class HostNames {
  /** Ends of names that are only known within a machine, a site or a cluster. */
  private static final List<String> LOCAL =
      List.of(".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc", ".svc.cluster.local", ".pod.cluster.local", ".test");
  private static final Pattern IPV4 = Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}");
  private static final Pattern ALLOWED = Pattern.compile("\\*|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*");

  /** What the setting takes, for people. */
  public static final String FORM = "names such as gateway.example.com or *.example.com, several with commas between, or * for any";

  private final Set<String> names;
  private final boolean any;

  private HostNames(Set<String> names, boolean any) {
    this.names = names;
    this.any = any;
  }

  /** Names allowed besides those that are always the service's. @throws IllegalArgumentException for what is not of {@link #FORM} */
  public static HostNames of(List<String> allowed) {
    Set<String> names = new TreeSet<>();
    for (String name : allowed) {
      if (!isName(name)) {
        throw new IllegalArgumentException("\"" + name + "\" is not a name; allowed: " + FORM);
      }
      names.add(name.strip().toLowerCase(Locale.ROOT));
    }
    ownName().ifPresent(names::add);
    return new HostNames(names, names.remove("*"));
  }

  /** Whether this is of {@link #FORM}. */
  static boolean isName(String name) {
    return ALLOWED.matcher(name.strip()).matches();
  }

  private static Optional<String> ownName() {
    try {
      String name = InetAddress.getLocalHost().getHostName();
      return Optional.of(name.toLowerCase(Locale.ROOT));
    } catch (UnknownHostException nameless) {
      return Optional.empty();
    }
  }

  /** Whether the service may be called so: a name or an address, without a port. */
  public boolean allows(String host) {
    if (any) {
      return true;
    }
    String name = host.toLowerCase(Locale.ROOT);
    if (name.endsWith(".")) {
      name = name.substring(0, name.length() - 1);
    }
    if (name.isEmpty()) {
      return false;
    }
    boolean address = IPV4.matcher(name).matches() || name.startsWith("[") || name.indexOf(':') >= 0;
    if (address || name.indexOf('.') < 0 || LOCAL.stream().anyMatch(name::endsWith) || names.contains(name)) {
      return true;
    }
    for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      if (names.contains("*" + name.substring(dot))) {
        return true;
      }
    }
    return false;
  }
}
