// SPDX-License-Identifier: Apache-2.0
#include "ctl/cli.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>

#include "base/clock.h"
#include "base/paths.h"
#include "ctl/commands.h"
#include "ctl/socket_path.h"
#include "ctl/text.h"

namespace ffdc::ctl {
namespace {

using Command = std::function<Result<>(const Context&)>;

struct Globals {
  std::string socket;
  bool json = false;
  bool no_color = false;
};

// One line on stderr, whatever the agent or the parser had to say.
void Complain(const std::string& message) {
  std::string line = message;
  line.erase(line.find_last_not_of(" \n\r\t") + 1);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::cerr << "ffdcctl: " << Printable(line) << "\n";
}

int ExitCodeOf(const Error& error) {
  if (error.code == kUsageError) return kUsage;
  return error.code == kUnreachable ? kAgentUnreachable : kFailure;
}

bool WantsColour(const Globals& globals) {
  const char* no_color = getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): one thread
  const bool refused = globals.no_color || (no_color != nullptr && *no_color != '\0');
  return !refused && isatty(STDOUT_FILENO) != 0;
}

int Execute(const Command& command, const Globals& globals) {
  const std::string socket = globals.socket.empty() ? SocketOf(kDefaultConfigPath) : globals.socket;
  const Page page{Painter(WantsColour(globals)), SystemClock().RealtimeNs()};
  const Context context{socket, globals.json, page, std::cout};
  const Result<> result = command(context);
  std::cout.flush();
  if (!result) {
    Complain(result.error().message);
    return ExitCodeOf(result.error());
  }
  if (!std::cout.good()) {
    Complain("cannot write the standard output: is its disk full?");
    return kFailure;
  }
  return kSuccess;
}

void AddGlobals(CLI::App& app, Globals& globals, const std::string& version) {
  app.add_option("--socket", globals.socket,
                 "The agent's Unix socket (default: that of " + std::string(kDefaultConfigPath) + ", else " +
                     std::string(kDefaultSocketPath) + ")")
      ->envname("FFDC_SOCKET")
      ->type_name("PATH");
  app.add_flag("--json", globals.json, "Print the agent's reply as JSON");
  app.add_flag("--no-color", globals.no_color, "No colour (as with NO_COLOR in the environment)");
  app.set_version_flag("--version", "ffdcctl " + version);
}

// Options of single commands; they live as long as the parser.
struct Arguments {
  std::string id;
  std::string output;
  std::string reason;
  std::string from_url;
  std::string to_url;
  bool all = false;
  uint32_t limit = 0;
  uint32_t measure_ms = 0;
  bool open = false;
  bool closed = false;
  bool yes = false;
  bool all_nodes = false;
  std::vector<std::string> nodes;
  std::vector<std::string> kinds;
  std::vector<std::string> subjects;
  std::string min_severity = "info";
  ClusterSetup cluster;
  uint64_t valid_s = 3600;
};

class Commands {
 public:
  Commands(CLI::App& app, Arguments& arguments, Command& chosen) : arguments_(arguments), chosen_(chosen) {
    app.require_subcommand(1);
    Add(app, "status", "The agent at a glance: problems first", ShowStatus);
    CLI::App* probe = Group(app, "probe", "What observes the kernel");
    Add(*probe, "list", "Every probe, what it costs, and why one is inactive",
        [this](const Context& context) { return ListProbes(context, arguments_.measure_ms); })
        ->add_option("--measure", arguments_.measure_ms,
                     "Count and time their runs for so long: 2s, 500ms, 1m")
        ->transform(
            CLI::AsNumberWithUnit(std::map<std::string, uint32_t>{{"ms", 1}, {"s", 1000}, {"m", 60'000}},
                                  CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"));
    AddWatch(app);
    AddEvents(app);
    AddIncidents(app);
    AddStore(app);
    CLI::App* resource = Group(app, "resource", "What may run full");
    Add(*resource, "list", "Every filesystem and pool that is watched, and how full it is", ListResources);
    AddNodes(app);
    AddCluster(app);
    CLI::App* dump =
        Add(app, "dump", "Capture the node now, as an incident of its own", [this](const Context& context) {
          return Dump(context, arguments_.reason, arguments_.all_nodes, arguments_.nodes);
        });
    dump->add_option("--reason", arguments_.reason, "Why, for whoever reads it later")->type_name("TEXT");
    CLI::Option* all = dump->add_flag("--all", arguments_.all_nodes, "All nodes of the cluster too");
    dump->add_option("--nodes", arguments_.nodes, "These nodes too: a,b")
        ->delimiter(',')
        ->type_name("NODES")
        ->excludes(all);
    CLI::App* config = Group(app, "config", "The agent's configuration");
    Add(*config, "show", "Every setting in effect", ShowConfig);
    Add(app, "selftest", "Make a disk of its own fail, and see that the agent catches it (root)", SelfTest);
  }

 private:
  CLI::App* Group(CLI::App& parent, const std::string& name, const std::string& help) {
    CLI::App* group = parent.add_subcommand(name, help);
    group->require_subcommand(1)->fallthrough();
    return group;
  }
  CLI::App* Add(CLI::App& parent, const std::string& name, const std::string& help, Command command) {
    CLI::App* added = parent.add_subcommand(name, help);
    added->fallthrough();  // global options may stand behind the command
    added->final_callback([this, command = std::move(command)] { chosen_ = command; });
    return added;
  }
  CLI::App* AddWithId(CLI::App& parent, const std::string& name, const std::string& help, Command command) {
    CLI::App* added = Add(parent, name, help, std::move(command));
    added->add_option("ID", arguments_.id, "The incident's id, or any start of it that is unique")
        ->required();
    return added;
  }

  void AddNodes(CLI::App& app) {
    CLI::App* node = Group(app, "node", "The nodes of the cluster");
    Add(*node, "list", "Every node, whether it is alive, and how far its clock is off", ListNodes);
    Add(*node, "remove", "Forget a node that will not come back",
        [this](const Context& context) { return RemoveNode(context, arguments_.id); })
        ->add_option("NAME", arguments_.id, "The node's name")
        ->required();
  }

  // The options that init and join have in common.
  void AddSetup(CLI::App& command) {
    ClusterSetup& setup = arguments_.cluster;
    command.add_option("--listen", setup.listen, "Where this node listens to the others: 10.0.0.11:7420")
        ->type_name("ADDRESS:PORT")
        ->required();
    command.add_option("--advertise", setup.advertise, "Where the others reach it, if that is not --listen")
        ->type_name("ADDRESS:PORT");
    command.add_option("--config", setup.config, "The agent's configuration")
        ->type_name("FILE")
        ->default_val(kDefaultConfigPath);
    command
        .add_option("--tls-dir", setup.tls_dir,
                    "Folder for keys and certificates (default: tls beside the configuration)")
        ->type_name("DIR");
  }

  void AddCluster(CLI::App& app) {
    ClusterSetup& setup = arguments_.cluster;
    CLI::App* cluster = Group(app, "cluster", "Make a cluster, let nodes join it, and leave it");
    CLI::App* init =
        Add(*cluster, "init", "Make this node the first of a cluster, with a CA of its own (root)",
            [this](const Context& context) { return InitCluster(context, arguments_.cluster); });
    init->add_option("--db", setup.db, "The etcd of all nodes: etcd://10.0.0.1:2379,10.0.0.2:2379")
        ->type_name("URL")
        ->required();
    constexpr int kFiveYears = 1825;
    init->add_option("--days", setup.days, "How long this node's certificate is good")
        ->default_val(kFiveYears)
        ->check(CLI::Range(1, 3650));
    AddSetup(*init);
    Add(*cluster, "token", "Let one more node join: prints the command for it",
        [this](const Context& context) { return MakeToken(context, arguments_.valid_s); })
        ->add_option("--valid", arguments_.valid_s, "For so long (default 1h): 30m, 2h, 1d")
        ->transform(CLI::AsNumberWithUnit(
            std::map<std::string, uint64_t>{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}},
            CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"));
    CLI::App* join = Add(*cluster, "join", "Make this node part of a cluster (root)",
                         [this](const Context& context) { return JoinCluster(context, arguments_.cluster); });
    join->add_option("ADDRESS", setup.address, "Of the node that made the token, with its port")->required();
    join->add_option("TOKEN", setup.token,
                     "What `ffdcctl cluster token` printed there; -: the standard input")
        ->required();
    AddSetup(*join);
    Add(*cluster, "leave", "Take this node out of its cluster (root)", [this](const Context& context) {
      return LeaveCluster(context, arguments_.yes);
    })->add_flag("-y,--yes", arguments_.yes, "Do not ask");
    Add(*cluster, "status", "Its nodes, DB and primary, and this node's certificate", ShowCluster);
  }

  void AddWatch(CLI::App& app) {
    CLI::App* watch =
        Add(app, "watch", "Print events and incidents of the whole cluster as they come",
            [this](const Context& context) {
              return WatchCluster(context, arguments_.kinds, arguments_.subjects, arguments_.min_severity);
            });
    watch->add_option("--kind", arguments_.kinds, "Of these kinds alone: io.error, 'path.*'")
        ->delimiter(',')
        ->type_name("KINDS");
    watch
        ->add_option("--subject", arguments_.subjects,
                     "Of these subjects alone, by id or name: sdb, 'wwid:*'")
        ->delimiter(',')
        ->type_name("SUBJECTS");
    watch->add_option("--severity", arguments_.min_severity, "Of this severity and worse (default info)")
        ->check(CLI::IsMember({"info", "warning", "critical"}))
        ->type_name("SEVERITY");
  }

  void AddEvents(CLI::App& app) {
    CLI::App* event = Group(app, "event", "Detected conditions");
    Add(*event, "list", "The newest events", [this](const Context& context) {
      return ListEvents(context, arguments_.limit);
    })->add_option("--limit", arguments_.limit, "At most so many (default 100)");
    Add(*event, "watch", "Print events as they come, until interrupted", WatchEvents);
  }

  void AddIncidents(CLI::App& app) {
    CLI::App* incident = Group(app, "incident", "Failures and what was captured of them");
    CLI::App* list = Add(*incident, "list", "Incidents, newest first", [this](const Context& context) {
      return ListIncidents(context, arguments_.limit,
                           arguments_.open     ? "open"
                           : arguments_.closed ? "closed"
                                               : "");
    });
    list->add_option("--limit", arguments_.limit, "At most so many (default: all)");
    CLI::Option* open = list->add_flag("--open", arguments_.open, "Only those that are open");
    list->add_flag("--closed", arguments_.closed, "Only those that are closed")->excludes(open);
    AddWithId(*incident, "show", "What broke, who was hurt, what came before",
              [this](const Context& context) { return ShowIncident(context, arguments_.id); });
    AddWithId(
        *incident, "pull", "Copy an incident's captures out of the store, as one tar archive",
        [this](const Context& context) { return PullIncident(context, arguments_.id, arguments_.output); })
        ->add_option("-o,--output", arguments_.output, "The file to write, or - (default: <short id>.tar)")
        ->type_name("FILE");
    AddWithId(*incident, "verify", "Check every checksum",
              [this](const Context& context) { return VerifyIncident(context, arguments_.id); });
    AddWithId(*incident, "pin", "Keep an incident until it is unpinned",
              [this](const Context& context) { return PinIncident(context, arguments_.id, true); });
    AddWithId(*incident, "unpin", "Let retention have an incident again",
              [this](const Context& context) { return PinIncident(context, arguments_.id, false); });
    AddWithId(*incident, "delete", "Remove an incident and its captures", [this](const Context& context) {
      return DeleteIncident(context, arguments_.id, arguments_.yes);
    })->add_flag("-y,--yes", arguments_.yes, "Do not ask");
  }

  void AddStore(CLI::App& app) {
    CLI::App* store = Group(app, "store", "Where captures are kept");
    Add(*store, "init", "Take the store as the one meant, and give it a marker", InitStore);
    Add(*store, "status", "Whether it can be reached, how full it is, what waits for it", ShowStore);
    Add(*store, "ls", "Every capture in it", ListStore);
    CLI::App* verify = Add(*store, "verify", "Check every checksum", [this](const Context& context) {
      return arguments_.all ? VerifyStore(context) : VerifyIncident(context, arguments_.id);
    });
    CLI::Option* id = verify->add_option("ID", arguments_.id, "Of one incident, or any start of its id");
    CLI::Option* all = verify->add_flag("--all", arguments_.all, "Of every capture in the store");
    all->excludes(id);
    verify->parse_complete_callback([this] {
      if (!arguments_.all && arguments_.id.empty()) throw CLI::RequiredError("ID or --all");
    });
    Add(*store, "gc", "Apply the limits of [store] now, and clear half uploads", CleanStore);
    CLI::App* migrate = Add(*store, "migrate", "Copy every capture to another store; the first one is kept",
                            [this](const Context& context) {
                              return MigrateStore(context, arguments_.from_url, arguments_.to_url);
                            });
    migrate->add_option("FROM", arguments_.from_url, "The url of the one, as in store.url")->required();
    migrate->add_option("TO", arguments_.to_url, "The url of the other")->required();
  }

  Arguments& arguments_;
  Command& chosen_;
};

void ComplainOfUsage(const CLI::App& app, const CLI::ParseError& error) {
  std::string command = "ffdcctl";
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  const std::vector<std::string> remaining = app.remaining(true);
  // CLI11 names the lack of a command, not the word that is none.
  const bool unknown = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !remaining.empty() &&
                       !remaining.front().starts_with("-");
  Complain((unknown ? "unknown command '" + remaining.front() + "'" : std::string(error.what())) + ": see `" +
           command + " --help`");
}

}  // namespace

int Run(int argc, char** argv, const std::string& version) {
  Globals globals;
  Arguments arguments;
  Command chosen;
  CLI::App app("Manages the first-failure data capture agent of this node (ffdcd).", "ffdcctl");
  AddGlobals(app, globals, version);
  const Commands commands(app, arguments, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);  // --help, --version
  } catch (const CLI::ParseError& error) {
    ComplainOfUsage(app, error);
    return kUsage;
  }
  return Execute(chosen, globals);
}

}  // namespace ffdc::ctl
