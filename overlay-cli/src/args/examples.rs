//! What stands at the end of the long help: examples, and what the exit status says.

pub(super) const OVERLAY: &str = "\
Examples:
  overlay up --nodes 50 --degree 5                     see a tree grow in this process
  openssl rand -hex 16 > token                         the proof of who may be the root
  overlay server --listen 0.0.0.0:8080 --token-file token
  overlay join --bootstrap ws://HOST:8080              on each machine
  tail -f some.log | overlay root --bootstrap ws://HOST:8080 --token-file token

Exit status:
  0  all of it          2  a wrong command line          130  stopped by a signal (a server: 0)
  1  an error           3  something is missing: `overlay root --help` and `overlay join --help` say what";

pub(super) const UP: &str = "\
Examples:
  overlay up                                           50 nodes, at most 5 children each
  overlay up --nodes 1000 --degree 10 --exit-when-joined
  overlay up --runtime smol --json";

pub(super) const SERVER: &str = "\
Examples:
  overlay server --listen 0.0.0.0:8080 --token-file token
  OVERLAY_TOKEN=secret overlay server                  for this machine alone
  overlay server --token-file token --behind-proxy     behind a proxy that speaks TLS

The server introduces joiners to the root, and carries none of the traffic. `GET /health` says how it is. It ends with
status 0 when it is stopped by Ctrl-C or SIGTERM.";

pub(super) const ROOT: &str = "\
Examples:
  tail -f some.log | overlay root --bootstrap ws://HOST:8080 --token-file token
  overlay root --bootstrap ws://HOST:8080 --token-file token --wait-for 12 < file
  camera | overlay root --bootstrap ws://HOST:8080 --token-file token --slow skip

Exit status:
  0    every node that was in the tree at the end has every byte
  1    an error, and stderr says what to do about it
  2    a wrong command line
  3    something is missing at some node, or reached nobody: stderr says how much
  130  stopped by Ctrl-C, SIGTERM or a closed terminal; the nodes wait for the next root

What is read waits for nodes, as long as it takes.";

pub(super) const JOIN: &str = "\
Examples:
  overlay join --bootstrap ws://HOST:8080 > file
  overlay join --bootstrap wss://HOST --overlay concert --degree 3
  overlay join --bootstrap ws://HOST:8080 --from oldest
  overlay join --bootstrap ws://HOST:8080 --next       for the stream after the one that is over
  overlay join --bootstrap ws://HOST:8080 --answer 'uptime -p'     answers `overlay ask`

Exit status:
  0    stdout has every byte from where this node came in
  1    an error, and stderr says what to do about it
  2    a wrong command line
  3    something is missing, or the stream was over before: stderr says how much
  130  stopped by Ctrl-C, SIGTERM or a closed terminal
  141  the reader of stdout has closed it, as `head` does

Without a stdout (`>&-`) what comes is dropped, as with /dev/null.";

pub(super) const ASK: &str = "\
Examples:
  overlay join --bootstrap ws://HOST:8080 --answer 'uptime -p'     on each machine
  overlay ask 'how are you?' --bootstrap ws://HOST:8080 --token-file token
  overlay join --bootstrap ws://HOST:8080 --answer sh  runs whatever the root asks: only if you trust it
  overlay ask 'nproc' --combine sum --bootstrap ws://HOST:8080 --token-file token

Exit status:
  0    every node has answered
  1    an error, and stderr says what to do about it
  2    a wrong command line
  3    something is missing: some nodes have not answered, and stderr says how many
  130  stopped by Ctrl-C, SIGTERM or a closed terminal
  141  the reader of stdout has closed it, as `head` does

The nodes stay, and wait for the next root.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  overlay completions bash > ~/.local/share/bash-completion/completions/overlay
  overlay completions zsh > ~/.zfunc/_overlay
  overlay completions fish > ~/.config/fish/completions/overlay.fish";
