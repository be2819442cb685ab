#include "cre2.h"
#include <re2/re2.h>
#include <string>
#include <vector>

struct cre2_pattern {
    RE2 re;
    explicit cre2_pattern(const re2::StringPiece &text, const RE2::Options &options) : re(text, options) {}
};

/// Runs `body`; returns `failure` if it throws, because no exception may reach Swift.
template <typename Result, typename Body> static Result guarded(Result failure, Body body) noexcept {
    try {
        return body();
    } catch (...) {
        return failure;
    }
}

extern "C" {

cre2_pattern *cre2_new(const char *pattern, size_t length, int64_t memory) {
    return guarded<cre2_pattern *>(nullptr, [&] {
        RE2::Options options;
        options.set_log_errors(false);
        options.set_dot_nl(true);
        options.set_max_mem(memory);
        return new cre2_pattern(re2::StringPiece(pattern, length), options);
    });
}

void cre2_free(cre2_pattern *p) { delete p; }

int cre2_is_too_large(const cre2_pattern *p) { return p->re.error_code() == RE2::ErrorPatternTooLarge; }

const char *cre2_error(const cre2_pattern *p) {
    switch (p->re.error_code()) {
    case RE2::NoError: return nullptr;
    case RE2::ErrorBadEscape: return "invalid escape sequence";
    case RE2::ErrorBadCharClass: return "invalid character class";
    case RE2::ErrorBadCharRange: return "invalid character class range";
    case RE2::ErrorMissingBracket: return "missing closing ]";
    case RE2::ErrorMissingParen: return "missing closing )";
    case RE2::ErrorUnexpectedParen: return "unexpected )";
    case RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize: return "invalid repeat count";
    case RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8: return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture: return "invalid named capture";
    case RE2::ErrorPatternTooLarge: return "expression too large";
    case RE2::ErrorInternal: return "regexp/syntax: internal error";
    }
    return p->re.error().c_str();
}

const char *cre2_error_place(const cre2_pattern *p) { return p->re.error_arg().c_str(); }

int cre2_program_size(const cre2_pattern *p) { return p->re.ProgramSize(); }

int cre2_groups(const cre2_pattern *p) { return p->re.NumberOfCapturingGroups(); }

int cre2_group_named(const cre2_pattern *p, const char *name, size_t length) {
    return guarded(-1, [&] {
        const auto &groups = p->re.NamedCapturingGroups();
        auto found = groups.find(std::string(name, length));
        return found == groups.end() ? -1 : found->second;
    });
}

static int match(const cre2_pattern *p, const char *text, size_t length, size_t from, RE2::Anchor anchor,
                 int64_t *spans, int count) {
    return guarded(-1, [&] {
        std::vector<re2::StringPiece> groups(count);
        re2::StringPiece subject(text, length);
        if (!p->re.Match(subject, from, length, anchor, groups.data(), count)) return 0;
        for (int i = 0; i < count; i++) {
            if (groups[i].data() == nullptr) {
                spans[2 * i] = spans[2 * i + 1] = -1;
            } else {
                spans[2 * i] = groups[i].data() - text;
                spans[2 * i + 1] = spans[2 * i] + static_cast<int64_t>(groups[i].size());
            }
        }
        return 1;
    });
}

int cre2_full_match(const cre2_pattern *p, const char *text, size_t length) {
    return guarded(-1, [&] {
        return p->re.Match(re2::StringPiece(text, length), 0, length, RE2::ANCHOR_BOTH, nullptr, 0) ? 1 : 0;
    });
}

int cre2_full_match_groups(const cre2_pattern *p, const char *text, size_t length, int64_t *spans, int count) {
    return match(p, text, length, 0, RE2::ANCHOR_BOTH, spans, count);
}

int cre2_search_groups(const cre2_pattern *p, const char *text, size_t length, size_t from, int64_t *spans,
                       int count) {
    return match(p, text, length, from, RE2::UNANCHORED, spans, count);
}
}
