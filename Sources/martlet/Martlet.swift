import Glibc

/// The binary: a daemon, and the commands around it.
@main
struct Martlet {
    static func main() {
        // A peer that goes away must be an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        exit(Command.run(ProcessArguments.all))
    }
}
