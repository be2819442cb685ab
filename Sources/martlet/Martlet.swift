import Glibc
import Platform

/// The binary: the daemon and the commands.
@main
struct Martlet {
    static func main() {
        Signals.ignoreOthers()
        OpenFiles.raiseLimit()
        exit(Command.run(ProcessArguments.all))
    }
}
