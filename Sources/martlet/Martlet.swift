import Glibc
import Platform

/// The binary: a daemon, and the commands around it.
@main
struct Martlet {
    static func main() {
        Signals.ignoreOthers()
        OpenFiles.raiseLimit()
        exit(Command.run(ProcessArguments.all))
    }
}
