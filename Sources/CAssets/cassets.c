// The files of the pages, embedded when this file is compiled. The chart library is Debian's libjs-dygraphs.
#include "cassets.h"

static const unsigned char index_html[] = {
#embed "files/index.html"
};
static const unsigned char favicon_svg[] = {
#embed "files/favicon.svg"
};
static const unsigned char assets_martlet_css[] = {
#embed "files/martlet.css"
};
static const unsigned char assets_main_js[] = {
#embed "files/main.js"
};
static const unsigned char assets_dom_js[] = {
#embed "files/dom.js"
};
static const unsigned char assets_editor_js[] = {
#embed "files/editor.js"
};
static const unsigned char assets_chart_js[] = {
#embed "files/chart.js"
};
static const unsigned char assets_query_js[] = {
#embed "files/query.js"
};
static const unsigned char assets_alerts_js[] = {
#embed "files/alerts.js"
};
static const unsigned char assets_notifier_js[] = {
#embed "files/notifier.js"
};
static const unsigned char assets_groups_js[] = {
#embed "files/groups.js"
};
static const unsigned char assets_silences_js[] = {
#embed "files/silences.js"
};
static const unsigned char assets_silence_form_js[] = {
#embed "files/silence-form.js"
};
static const unsigned char assets_notifications_js[] = {
#embed "files/notifications.js"
};
static const unsigned char assets_targets_js[] = {
#embed "files/targets.js"
};
static const unsigned char assets_status_js[] = {
#embed "files/status.js"
};
static const unsigned char assets_dygraph_js[] = {
#embed "/usr/share/javascript/dygraphs/dygraph.min.js"
};
static const unsigned char assets_dygraph_css[] = {
#embed "/usr/share/javascript/dygraphs/dygraph.min.css"
};

static const casset table[] = {
    {"index.html", index_html, sizeof index_html},
    {"favicon.svg", favicon_svg, sizeof favicon_svg},
    {"assets/martlet.css", assets_martlet_css, sizeof assets_martlet_css},
    {"assets/main.js", assets_main_js, sizeof assets_main_js},
    {"assets/dom.js", assets_dom_js, sizeof assets_dom_js},
    {"assets/editor.js", assets_editor_js, sizeof assets_editor_js},
    {"assets/chart.js", assets_chart_js, sizeof assets_chart_js},
    {"assets/query.js", assets_query_js, sizeof assets_query_js},
    {"assets/alerts.js", assets_alerts_js, sizeof assets_alerts_js},
    {"assets/notifier.js", assets_notifier_js, sizeof assets_notifier_js},
    {"assets/groups.js", assets_groups_js, sizeof assets_groups_js},
    {"assets/silences.js", assets_silences_js, sizeof assets_silences_js},
    {"assets/silence-form.js", assets_silence_form_js, sizeof assets_silence_form_js},
    {"assets/notifications.js", assets_notifications_js, sizeof assets_notifications_js},
    {"assets/targets.js", assets_targets_js, sizeof assets_targets_js},
    {"assets/status.js", assets_status_js, sizeof assets_status_js},
    {"assets/dygraph.js", assets_dygraph_js, sizeof assets_dygraph_js},
    {"assets/dygraph.css", assets_dygraph_css, sizeof assets_dygraph_css},
};

const casset *cassets(size_t *count) {
    *count = sizeof table / sizeof table[0];
    return table;
}
