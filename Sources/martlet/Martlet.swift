import Glibc

/// The binary: a daemon, and the commands around it.
@main
struct Martlet {
    static func main() {
        Signals.ignoreOthers()
        exit(Command.run(ProcessArguments.all))
    }
}
