import Glibc
import GoCompatibility
import Model

/// One window of a series' float samples.
struct Window {
    /// The samples in the window; `count` may be 0.
    let times: UnsafePointer<Int64>
    let values: UnsafePointer<Double>
    let count: Int
    /// The limits of the window, ms; `start` is exclusive, `end` is inclusive.
    let start: Int64
    let end: Int64
    /// The time of the step, ms.
    let step: Int64
}

extension Window {
    /// The window of step `index`, with the samples that `table` has for it.
    @inline(__always)
    init(_ samples: borrowing SampleColumns, _ plan: WindowPlan, _ table: WindowTable, _ index: Int) {
        let (low, high) = (Int(table.bounds[index].low), Int(table.bounds[index].high))
        times = UnsafePointer(samples.timestamps + low)
        values = UnsafePointer(samples.values + low)
        count = high &- low
        end = plan.end(index)
        start = end &- plan.length
        step = plan.grid.time(index)
    }
}

/// A function of one window; its value is ``Column/absent`` if it has no result.
enum RangeFunction {
    case rate, increase, delta, irate, idelta, resets, changes, deriv
    case predictLinear, quantile, smoothing
    case sum, avg, min, max, count, last, first, present, stddev, stdvar, mad
    case tsOfMin, tsOfMax, tsOfFirst, tsOfLast
}

/// The functions on one window of floats (section "range functions" of PromQL's documentation).
enum WindowKernel {
    /// `delta`: the difference of the last and the first value, extrapolated to the window's edges if there are samples
    /// near them.
    static func delta(_ w: Window) -> Double {
        guard w.count >= 2 else { return Column.absent }
        let window = RateWindow(w.times, w.count, w.start, w.end, isRate: false)
        return window.extrapolated(w.values[w.count - 1] - w.values[0])
    }

    /// `irate` and `idelta`.
    ///
    /// - Parameter isReset: Whether it is known that the counter was reset between the last two samples.
    static func instant(_ w: Window, isRate: Bool, isReset: Bool = false) -> Double {
        guard w.count >= 2 else { return Column.absent }
        let (before, last) = (w.values[w.count - 2], w.values[w.count - 1])
        let milliseconds = w.times[w.count - 1] &- w.times[w.count - 2]
        guard milliseconds != 0 else { return Column.absent }
        let difference = isRate && (isReset || last < before) ? last : last - before
        return isRate ? difference / (Double(milliseconds) / 1000) : difference
    }

    /// One step of Kahan's summation in Neumaier's form.
    @inline(__always)
    static func add(_ x: Double, _ sum: inout Double, _ c: inout Double) {
        let t = sum + x
        if t.isInfinite {
            c = 0
        } else if abs(sum) >= abs(x) {
            c += (sum - t) + x
        } else {
            c += (x - t) + sum
        }
        sum = t
    }

    /// The compensated sum and its compensation.
    ///
    /// It is only correct if the sum is finite; the callers compute the sum again otherwise.
    @inline(__always)
    static func compensatedSum(_ w: Window) -> (sum: Double, c: Double) {
        var (sum, c) = (0.0, 0.0)
        for i in 0..<w.count {
            let x = w.values[i]
            let t = sum + x
            c += abs(sum) >= abs(x) ? (sum - t) + x : (x - t) + sum
            sum = t
        }
        return (sum, c)
    }

    static func sum(_ w: Window) -> Double {
        guard w.count > 0 else { return Column.absent }
        let fast = compensatedSum(w)
        if fast.sum.isFinite { return fast.sum + fast.c }
        var (sum, c) = (0.0, 0.0)
        for i in 0..<w.count { add(w.values[i], &sum, &c) }
        return sum.isInfinite ? sum : sum + c
    }

    static func average(_ w: Window) -> Double {
        guard w.count > 0 else { return Column.absent }
        // A sum that begins with zero has the same result: the first step adds nothing to the compensation.
        let fast = compensatedSum(w)
        if fast.sum.isFinite { return fast.sum / Double(w.count) + fast.c / Double(w.count) }
        var state = AverageState(w.values[0])
        for i in 1..<Swift.max(1, w.count) { state.add(w.values[i]) }
        return state.result
    }

    static func minimum(_ w: Window) -> Double {
        guard w.count > 0 else { return Column.absent }
        var best = w.values[0]
        for i in 1..<Swift.max(1, w.count) where w.values[i] < best || best.isNaN { best = w.values[i] }
        return best
    }

    static func maximum(_ w: Window) -> Double {
        guard w.count > 0 else { return Column.absent }
        var best = w.values[0]
        for i in 1..<Swift.max(1, w.count) where w.values[i] > best || best.isNaN { best = w.values[i] }
        return best
    }

    /// The time of the minimum or maximum in seconds; the latest of equal values.
    static func timeOfExtreme(_ w: Window, isMax: Bool) -> Double {
        guard w.count > 0 else { return Column.absent }
        var at = 0
        for i in 1..<Swift.max(1, w.count) {
            let (value, best) = (w.values[i], w.values[at])
            if (isMax ? value >= best : value <= best) || best.isNaN { at = i }
        }
        return Double(w.times[at]) / 1000
    }

    /// Welford's variance with compensated sums.
    static func variance(_ w: Window) -> Double {
        guard w.count > 0 else { return Column.absent }
        var (mean, cMean, aux, cAux) = (0.0, 0.0, 0.0, 0.0)
        for i in 0..<w.count {
            let x = w.values[i]
            let delta = x - (mean + cMean)
            add(delta / Double(i + 1), &mean, &cMean)
            add(delta * (x - (mean + cMean)), &aux, &cAux)
        }
        return (aux + cAux) / Double(w.count)
    }

    static func resets(_ w: Window) -> Double {
        guard w.count > 0 else { return Column.absent }
        var n = 0
        for i in 1..<Swift.max(1, w.count) where w.values[i] < w.values[i - 1] { n += 1 }
        return Double(n)
    }

    static func changes(_ w: Window) -> Double {
        guard w.count > 0 else { return Column.absent }
        var n = 0
        for i in 1..<Swift.max(1, w.count) {
            let (a, b) = (w.values[i - 1], w.values[i])
            if a != b, !(a.isNaN && b.isNaN) { n += 1 }
        }
        return Double(n)
    }

    /// A linear regression by least squares with compensated sums; times are in seconds from `origin`.
    static func regression(_ w: Window, origin: Int64) -> (slope: Double, intercept: Double) {
        var (sx, cx, sy, cy, sxy, cxy, sxx, cxx) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        let first = w.values[0]
        var isConstant = true
        for i in 0..<w.count {
            if w.values[i] != first { isConstant = false }
            let x = Double(w.times[i] &- origin) / 1000
            add(x, &sx, &cx)
            add(w.values[i], &sy, &cy)
            add(x * w.values[i], &sxy, &cxy)
            add(x * x, &sxx, &cxx)
        }
        if isConstant { return first.isInfinite ? (.nan, .nan) : (0, first) }
        (sx, sy, sxy, sxx) = (sx + cx, sy + cy, sxy + cxy, sxx + cxx)
        let n = Double(w.count)
        let slope = (sxy - sx * sy / n) / (sxx - sx * sx / n)
        return (slope, sy / n - slope * sx / n)
    }

    static func smoothing(_ w: Window, _ sf: Double, _ tf: Double) -> Double {
        guard w.count >= 2 else { return Column.absent }
        var (s0, s1) = (0.0, w.values[0])
        var trend = w.values[1] - w.values[0]
        for i in 1..<w.count {
            let x = sf * w.values[i]
            if i > 1 { trend = tf * (s1 - s0) + (1 - tf) * trend }
            let y = (1 - sf) * (s1 + trend)
            (s0, s1) = (s1, x + y)
        }
        return s1
    }
}

/// A running mean as PromQL computes it: a compensated sum, or an incremental mean from the time when the sum would
/// overflow.
struct AverageState {
    private var sum: Double
    private var c = 0.0
    private var mean = 0.0
    private var isIncremental = false
    private(set) var count = 1.0

    init(_ first: Double) { sum = first }

    mutating func add(_ x: Double) {
        count += 1
        if !isIncremental {
            var (newSum, newC) = (sum, c)
            WindowKernel.add(x, &newSum, &newC)
            if !newSum.isInfinite {
                (sum, c) = (newSum, newC)
                return
            }
            isIncremental = true
            mean = sum / (count - 1)
            c /= count - 1
        }
        let q = (count - 1) / count
        mean *= q
        c *= q
        WindowKernel.add(x / count, &mean, &c)
    }

    var result: Double { isIncremental ? mean + c : sum / count + c / count }
}

/// Quantiles by linear interpolation between ranks.
enum LinearQuantile {
    static func of(_ q: Double, _ values: inout [Double]) -> Double {
        if values.isEmpty || q.isNaN { return .nan }
        if q < 0 { return -.infinity }
        if q > 1 { return .infinity }
        let rank = q * Double(values.count - 1)
        let low = max(0, Int(rank.rounded(.down)))
        let high = min(values.count - 1, low + 1)
        let weight = rank - rank.rounded(.down)
        if hasBothZeros(values) {
            // The order of the zeros determines the sign of the result.
            GoSort.sort(&values) { $0.isNaN || $0 < $1 }
            return values[low] * (1 - weight) + values[high] * weight
        }
        return values.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return .nan }
            // NaN is before all numbers in the order.
            var nans = 0
            for i in 0..<buffer.count where base[i].isNaN {
                base.swapAt(i, nans)
                nans &+= 1
            }
            let lower = select(low, base, nans, buffer.count)
            var upper = lower
            if high > low {
                upper = .infinity
                if high < nans {
                    upper = .nan
                } else {
                    // All values after the selected position are at least as large.
                    for i in high..<buffer.count where base[i] < upper { upper = base[i] }
                }
            }
            return lower * (1 - weight) + upper * weight
        }
    }

    private static func hasBothZeros(_ values: [Double]) -> Bool {
        var (hasPositive, hasNegative) = (false, false)
        for value in values where value == 0 {
            if value.sign == .minus { hasNegative = true } else { hasPositive = true }
        }
        return hasPositive && hasNegative
    }

    /// Selects the value that has the position `rank` in sorted order, and moves no smaller value after it (Hoare,
    /// 1961).
    ///
    /// The first `nans` values are NaN, and are not moved.
    private static func select(_ rank: Int, _ values: UnsafeMutablePointer<Double>, _ nans: Int, _ count: Int)
        -> Double
    {
        guard rank >= nans else { return .nan }
        var (left, right) = (nans, count &- 1)
        while left < right {
            let middle = left &+ (right &- left) / 2
            // The median of three keeps sorted input from being the worst case.
            if values[middle] < values[left] { values.swapAt(left, middle) }
            if values[right] < values[left] { values.swapAt(left, right) }
            if values[right] < values[middle] { values.swapAt(middle, right) }
            let pivot = values[middle]
            var (i, j) = (left, right)
            while i <= j {
                while values[i] < pivot { i &+= 1 }
                while pivot < values[j] { j &-= 1 }
                if i <= j {
                    values.swapAt(i, j)
                    i &+= 1
                    j &-= 1
                }
            }
            if rank <= j {
                right = j
            } else if rank >= i {
                left = i
            } else {
                break
            }
        }
        return values[rank]
    }
}

extension UnsafeMutablePointer<Double> {
    @inline(__always)
    fileprivate func swapAt(_ i: Int, _ j: Int) {
        let value = self[i]
        self[i] = self[j]
        self[j] = value
    }
}
