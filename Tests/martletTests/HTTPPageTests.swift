import Testing
import Web

@testable import martlet

/// `docs/http-api.md` held against the routes and against the parameters that their handlers read.
@Suite("HTTP page")
struct HTTPPageTests {
    private static func page() throws -> String { try SourceText.file("docs/http-api.md") }

    /// The methods of each path on the page.
    private static func documented() throws -> [String: Set<String>] {
        var methods: [String: Set<String>] = [:]
        for (_, table) in try DocumentTable.all("endpoints", in: try page()) {
            for cells in table.rows {
                guard cells.count == 4 else {
                    Issue.record("\(cells) has not four cells")
                    continue
                }
                for path in DocumentTable.code(cells[0]) {
                    #expect(methods[path] == nil, "\(path) is there twice")
                    methods[path] = Set(cells[1].split(separator: ", ").map(String.init))
                }
            }
        }
        return methods
    }

    /// A route of the API: its methods, and the type and the function of its handler.
    private struct Route {
        var methods: Set<String>
        var handler: String
    }

    private static func apiRoutes() throws -> [String: Route] {
        let text = try SourceText.file("Sources/API/APIRoutes.swift")
        var types: [String: String] = [:]
        for match in text.matches(of: /let ([a-z]+) = ([A-Z][A-Za-z]+)\(\w+: context[^)]*\)/) {
            types[String(match.1)] = String(match.2)
        }
        let lists: [Substring: Set<String>] = [
            "both": ["GET", "POST"], "change": ["POST", "PUT"], "[\"GET\"]": ["GET"],
        ]
        var routes: [String: Route] = [:]
        let add =
            /(routes\.)?add\((both|change|\["GET"\]), "([^"]+)"[^{]*\{\s*(?:try )?(\w+)(?:\([^)]*\))?\.(\w+)\(\$0\)/
        for match in text.matches(of: add) where match.5 != "wrongMethod" {
            let path = (match.1 == nil ? "/api/v1" : "") + match.3
            let type = types[String(match.4)] ?? String(match.4)
            routes[path] = Route(methods: lists[match.2] ?? [], handler: "\(type).\(match.5)")
        }
        return routes
    }

    /// The routes of Alertmanager's API, by path and method: the type and the function of the handler.
    private static func alertRoutes() throws -> [String: [String: String]] {
        let text = try SourceText.file("Sources/AlertAPI/AlertAPIRoutes.swift")
        var types: [String: String] = [:]
        for match in text.matches(of: /let ([a-z]+) = ([A-Z][A-Za-z]+)\(context: context\)/) {
            types[String(match.1)] = String(match.2)
        }
        var routes: [String: [String: String]] = [:]
        for match in text.matches(of: /add\(\s*"(\/[^"]*)"[^\[]*\[([^\]]*)\]/) {
            for handler in match.2.matches(of: /"([A-Z]+)": \{ try ([a-z]+)\.(\w+)\(/) {
                let type = types[String(handler.2)] ?? ""
                routes["/api/v2" + match.1, default: [:]][String(handler.1)] = "\(type).\(handler.3)"
            }
        }
        return routes
    }

    @Test("the page has each route with its methods, and no other")
    func routes() throws {
        var routes = try Self.apiRoutes().mapValues(\.methods)
        #expect(routes.count > 30, "\(routes.keys.sorted())")
        for match in try SourceText.swift("Sources/martlet/Daemon").matches(
            of: /routes\.add\(\["([A-Z]+)"\], "([^"]+)"/)
        {
            routes[String(match.2), default: []].insert(String(match.1))
        }
        let alerts = try Self.alertRoutes()
        #expect(alerts.count == 6)
        for (path, handlers) in alerts { routes[path] = Set(handlers.keys) }
        for path in WebPages(routePrefix: "", title: "").paths { routes[path] = ["GET"] }
        let documented = try Self.documented()
        for (path, methods) in routes { #expect(documented[path] == methods, "docs/http-api.md: \(path)") }
        for path in documented.keys { #expect(routes[path] != nil, "docs/http-api.md: \(path) is no route") }
    }

    /// The text of each function of a folder, by `Type.name`; functions of extensions count as those of their type.
    private static func functions(_ folder: String) throws -> [String: String] {
        var functions: [String: String] = [:]
        var (type, name) = ("", "")
        for line in try SourceText.swift(folder).split(separator: "\n", omittingEmptySubsequences: false) {
            if let match = line.firstMatch(of: /^(?:\w+ )*(?:struct|enum|class|extension) (\w+)/) {
                (type, name) = (String(match.1), "")
            } else if let match = line.firstMatch(of: /^    (?:\w+ )*(?:func (\w+)|(init))[(<]/) {
                name = String(match.1 ?? match.2 ?? "")
            }
            if !name.isEmpty { functions["\(type).\(name)", default: ""] += line + "\n" }
        }
        return functions
    }

    /// The parameters that a function reads, itself and in the functions that it calls.
    private static func parameters(
        _ name: String, _ functions: [String: String], _ seen: inout Set<String>
    ) -> Set<String> {
        guard let body = functions[name], seen.insert(name).inserted else { return [] }
        let type = name.prefix { $0 != "." }
        // The kind of a search stands in the same place as the name of a parameter.
        let text = body.replacing("parameters(request, ", with: "parameters(")
        let direct = text.matches(of: /(?:\.parameters?\(|\(\s*request, |number\()"([a-zA-Z_]+(?:\[\])?)"/)
        var found = Set(direct.map { String($0.1) })
        for call in text.matches(of: /(?:([A-Za-z]\w*)\??\.)?([a-zA-Z]\w+)\(/) {
            // A method of another value is none of these types.
            if let owner = call.1, owner.first?.isLowercase == true { continue }
            let named = call.1.flatMap { $0 == "Self" ? nil : String($0) }
            found.formUnion(parameters("\(named ?? String(type)).\(call.2)", functions, &seen))
            found.formUnion(parameters("\(call.2).init", functions, &seen))
        }
        return found
    }

    @Test("the page has each parameter that the handler of a path reads, and no other")
    func parameters() throws {
        var documented: [String: Set<String>] = [:]
        var search: Set<String> = []
        for (name, table) in try DocumentTable.all("parameters", in: try Self.page()) {
            for cells in table.rows {
                if name == "search" {
                    #expect(cells.count == 4 && !cells[3].isEmpty, "\(cells)")
                    search.formUnion(DocumentTable.code(cells[0]))
                } else {
                    #expect(cells.count == 5 && !cells[4].isEmpty, "\(cells)")
                    for path in DocumentTable.code(cells[0]) {
                        documented[path, default: []].formUnion(DocumentTable.code(cells[1]))
                    }
                }
            }
        }
        for path in ["metric_names", "label_names", "label_values"] {
            documented["/api/v1/search/" + path, default: []].formUnion(search)
        }
        let functions = try Self.functions("Sources/API")
        var count = 0
        for (path, route) in try Self.apiRoutes() {
            var seen: Set<String> = []
            let read = Self.parameters(route.handler, functions, &seen)
            #expect(functions[route.handler] != nil, "\(path): \(route.handler)")
            #expect(documented[path] ?? [] == read, "docs/http-api.md: \(path)")
            count += read.count
        }
        let ofAlerts = try Self.functions("Sources/AlertAPI")
        for (path, handlers) in try Self.alertRoutes() {
            var (seen, read): (Set<String>, Set<String>) = ([], [])
            for handler in handlers.values { read.formUnion(Self.parameters(handler, ofAlerts, &seen)) }
            #expect(handlers.values.allSatisfy { ofAlerts[$0] != nil }, "\(handlers)")
            #expect(documented[path] ?? [] == read, "docs/http-api.md: \(path)")
            count += read.count
        }
        #expect(count > 85)
        // And every text of the sources that asks for a parameter was found this way.
        let all = documented.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        for match in try SourceText.swift("Sources/API").matches(of: /\.parameters?\("([^"]+)"\)/) {
            #expect(all.contains(String(match.1)), "docs/http-api.md lacks \(match.1)")
        }
    }
}
