@main
struct Martlet {
    static func main() {
        print("martlet")
    }
}
