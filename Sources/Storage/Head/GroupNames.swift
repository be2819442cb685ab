/// The groups of series by their names and numbers.
extension Head {
    /// The group with this name.
    ///
    /// If there is none, a vacant group gets the name, or a group is made. Targets and rules come and go for months:
    /// without that, each of them would leave a group for ever.
    func group(_ name: String) -> HeadGroup {
        while let vacant = registry.withLock({ groupByName[name] == nil ? vacantGroups.popLast() : nil }) {
            if let group = group(vacant), let named = rename(group, name) { return named }
        }
        return registry.withLock {
            if let at = groupByName[name] { return groups[at] }
            // If there are more targets than the log can name, they share a group, which is only slower.
            if groups.count >= Self.maxGroups, let shared = groups.last { return shared }
            let group = HeadGroup(id: UInt32(groups.count), name: name)
            groupByName[name] = groups.count
            groups.append(group)
            return group
        }
    }

    /// Gives a vacant group another name.
    ///
    /// - Returns: The group with the name, which another thread may have made meanwhile; nil if the group is in use again.
    private func rename(_ group: HeadGroup, _ name: String) -> HeadGroup? {
        group.lock.withLock {
            group.isOffered = false
            guard group.isVacant else { return nil }
            return registry.withLock {
                if let at = groupByName[name] {
                    offerLocked(group)
                    return groups[at]
                }
                if groupByName[group.name] == Int(group.id) { groupByName[group.name] = nil }
                groupByName[name] = Int(group.id)
                group.reuse(name)
                return group
            }
        }
    }

    /// The name of the group that takes further series if the group with this name is full.
    static func siblingName(_ name: String) -> String { name + "\u{0}" }

    /// The group that takes further series of a group with this name, if it is known.
    ///
    /// The known one may have got another name since. Names become longer from sibling to sibling, so a walk along them
    /// ends.
    func sibling(of group: HeadGroup, _ name: String) -> HeadGroup? {
        guard let known = group.lock.withLock({ group.sibling }) else { return nil }
        return known.lock.withLock { known.name == Self.siblingName(name) } ? known : nil
    }

    /// Lets a new name have the group if it is vacant; needs the group's lock.
    func offer(_ group: HeadGroup) {
        group.lock.assertHeld()
        if group.isVacant { registry.withLock { offerLocked(group) } }
    }

    /// ``offer(_:)`` for a vacant group and a caller that holds the registry's lock, too.
    private func offerLocked(_ group: HeadGroup) {
        registry.assertHeld()
        if group.isOffered { return }
        group.isOffered = true
        vacantGroups.append(group.id)
    }

    func group(_ id: UInt32) -> HeadGroup? {
        registry.withLock { Int(id) < groups.count ? groups[Int(id)] : nil }
    }

    /// The group that had this id before a restart; it is named after its id if its name is not known.
    @discardableResult
    func restoreGroup(_ id: UInt32, _ name: String?) -> HeadGroup {
        registry.withLock {
            while groups.count <= Int(id) {
                let group = HeadGroup(id: UInt32(groups.count), name: "\u{0}\(groups.count)")
                // Nobody uses it before it is opened again.
                group.isClosed = true
                groups.append(group)
            }
            if let name, groupByName[name] == nil {
                // A damaged file may name the group twice.
                let before = groups[Int(id)].name
                if groupByName[before] == Int(id) { groupByName[before] = nil }
                groups[Int(id)].name = name
                groupByName[name] = Int(id)
            }
            return groups[Int(id)]
        }
    }
}
