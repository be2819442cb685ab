/// The templates that every configuration has.
enum DefaultTemplates {
    static let files: [(path: String, text: String)] = [
        ("default.tmpl", common + names.map(alias).joined()), ("email.tmpl", MailTemplate.text),
    ]

    /// The templates of receivers that are others under another name; the empty ones call none.
    private static let names: [(template: String, receivers: [String])] = [
        (
            "__subject",
            [
                "discord.default.title", "email.default.subject", "jira.default.summary", "mattermost.default.title",
                "msteams.default.summary", "msteams.default.title", "msteamsv2.default.title",
                "opsgenie.default.message", "pagerduty.default.description", "pushover.default.title",
                "rocketchat.default.title", "slack.default.title", "sns.default.subject",
                "victorops.default.entity_display_name",
            ]
        ),
        (
            "__alertmanagerURL",
            [
                "mattermost.default.titlelink", "opsgenie.default.source", "pagerduty.default.clientURL",
                "pushover.default.url", "rocketchat.default.titlelink", "slack.default.titlelink",
            ]
        ),
        (
            "__alertmanager",
            [
                "mattermost.default.username", "pagerduty.default.client", "rocketchat.default.alias",
                "slack.default.username", "victorops.default.monitoring_tool",
            ]
        ),
        ("__subject_and_url", ["mattermost.default.fallback", "slack.default.fallback"]),
        ("__color", ["mattermost.default.color", "slack.default.color"]),
        ("__text_alert_list", ["pagerduty.default.instances"]),
        ("__description_and_lists", ["opsgenie.default.description", "victorops.default.state_message"]),
        (
            "__spaced_description_and_lists",
            ["pushover.default.message", "sns.default.message", "webex.default.message"]
        ),
        ("__spaced_lists", ["discord.default.message", "telegram.default.message"]),
        (
            "__markdown_lists",
            [
                "jira.default.description", "mattermost.default.text", "msteams.default.text",
                "msteamsv2.default.text",
            ]
        ),
        (
            "",
            [
                "__description", "discord.default.content", "rocketchat.default.emoji", "rocketchat.default.iconurl",
                "rocketchat.default.text", "slack.default.callbackid", "slack.default.footer",
                "slack.default.iconemoji", "slack.default.iconurl", "slack.default.pretext", "slack.default.text",
                "wechat.default.agent_id", "wechat.default.to_party", "wechat.default.to_tag",
                "wechat.default.to_user",
            ]
        ),
    ]

    private static func alias(_ template: String, _ receivers: [String]) -> String {
        let body = template.isEmpty ? "" : #"{{ template "\#(template)" . }}"#
        return receivers.map { #"{{ define "\#($0)" }}\#(body){{ end }}"# }.joined()
    }

    private static let common = #"""
        {{- define "__subject" -}}
            [{{ toUpper .Status }}{{ with .Alerts.Firing }}:{{ len . }}{{ end }}] {{ .GroupLabels.Values.Join " " -}}
            {{ " " }}
            {{- if gt (len .CommonLabels) (len .GroupLabels) -}}
                ({{ (.CommonLabels.Remove .GroupLabels.Names).Values.Join " " }})
            {{- end -}}
        {{- end -}}

        {{- define "__alertmanager" }}Alertmanager{{ end -}}

        {{- define "__alertmanagerURL" -}}
            {{ .ExternalURL }}/#/alerts?receiver={{ urlquery .Receiver }}
        {{- end -}}

        {{- define "__subject_and_url" -}}
            {{ template "__subject" . }} | {{ template "__alertmanagerURL" . }}
        {{- end -}}

        {{- define "__color" }}{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}{{ end -}}

        {{- define "__text_alert_list" -}}
        {{ range . -}}
        Labels:
        {{ range .Labels.SortedPairs }} - {{ .Name }} = {{ .Value }}
        {{ end }}Annotations:
        {{ range .Annotations.SortedPairs }} - {{ .Name }} = {{ .Value }}
        {{ end }}Source: {{ .GeneratorURL }}
        {{ end -}}
        {{- end -}}

        {{- define "__text_alert_list_markdown" -}}
        {{ range . }}
        Labels:
        {{ range .Labels.SortedPairs }}  - {{ .Name }} = {{ .Value }}
        {{ end }}
        Annotations:
        {{ range .Annotations.SortedPairs }}  - {{ .Name }} = {{ .Value }}
        {{ end }}
        Source: {{ .GeneratorURL }}
        {{ end }}
        {{ end -}}

        {{- define "__description_and_lists" -}}
        {{ .CommonAnnotations.Values.Join " " }}
        {{ with .Alerts.Firing -}}
        Alerts Firing:
        {{ template "__text_alert_list" . }}
        {{- end }}
        {{ with .Alerts.Resolved -}}
        Alerts Resolved:
        {{ template "__text_alert_list" . }}
        {{- end }}
        {{- end -}}

        {{- define "__spaced_lists" }}
        {{ with .Alerts.Firing }}
        Alerts Firing:
        {{ template "__text_alert_list" . }}
        {{ end }}
        {{ with .Alerts.Resolved }}
        Alerts Resolved:
        {{ template "__text_alert_list" . }}
        {{ end }}
        {{ end -}}

        {{- define "__spaced_description_and_lists" -}}
        {{ .CommonAnnotations.Values.Join " " }}
        {{- template "__spaced_lists" . }}
        {{- end -}}

        {{- define "__markdown_lists" }}
        {{ with .Alerts.Firing }}
        # Alerts Firing:
        {{ template "__text_alert_list_markdown" . }}
        {{ end }}
        {{ with .Alerts.Resolved }}
        # Alerts Resolved:
        {{ template "__text_alert_list_markdown" . }}
        {{ end }}
        {{ end -}}

        {{- define "wechat.default.message" -}}
        {{ template "__subject" . }}
        {{ template "__description_and_lists" . }}
        AlertmanagerUrl:
        {{ template "__alertmanagerURL" . }}
        {{- end -}}

        {{- define "__priority" -}}
            {{ $found := dict }}
            {{- range . }}{{ $found = dict "High" (or $found.High (eq .Labels.severity "critical")) "Medium"
                (or $found.Medium (eq .Labels.severity "warning")) "Low"
                (or $found.Low (eq .Labels.severity "info")) }}{{ end -}}
            {{ if $found.High }}High{{ else if $found.Medium }}Medium{{ else if $found.Low }}Low{{ end -}}
        {{- end -}}

        {{- define "jira.default.priority" -}}
            {{ $known := stringSlice "critical" "warning" "info" }}
            {{- $decides := false }}
            {{- range .Alerts.Firing }}{{ $severity := .Labels.severity }}
                {{- range $known }}{{ if eq . $severity }}{{ $decides = true }}{{ end }}{{ end }}
            {{- end }}
            {{- if $decides }}{{ template "__priority" .Alerts.Firing }}
            {{- else }}{{ template "__priority" .Alerts.Resolved }}{{ end -}}
        {{- end -}}
        """#
}

/// The HTML page of mails.
enum MailTemplate {
    static let text = #"""
        {{- define "__mail_alerts" -}}
        {{ range . }}
        <table width="100%" cellpadding="0" cellspacing="0" style="margin: 0 0 16px 0">
        <tr><td style="padding: 8px 12px; background: #f4f5f7; border-left: 4px solid #c3c8d0">
        <b>Labels</b><br>
        {{ range .Labels.SortedPairs }}{{ .Name }} = {{ .Value }}<br>
        {{ end }}
        {{- if .Annotations }}<b>Annotations</b><br>
        {{ range .Annotations.SortedPairs }}{{ .Name }} = {{ .Value }}<br>
        {{ end }}{{ end -}}
        <a href="{{ .GeneratorURL }}" style="color: #2459a8">Source</a>
        </td></tr>
        </table>
        {{- end }}
        {{- end -}}

        {{- define "email.default.html" -}}
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>{{ template "__subject" . }}</title>
        </head>
        <body style="margin: 0; padding: 24px 0; background: #e9ebee; font: 14px/1.5 sans-serif; color: #22262b">
        <table align="center" width="600" cellpadding="0" cellspacing="0" style="background: #ffffff">
        <tr><td style="padding: 16px 24px; color: #ffffff; font-size: 16px;
        {{- if eq .Status "firing" }} background: #cf6a12{{ else }} background: #2f8043{{ end }}">
        {{ len .Alerts }} alert{{ if ne (len .Alerts) 1 }}s{{ end }} for
        {{- range .GroupLabels.SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}
        </td></tr>
        <tr><td style="padding: 24px">
        <p style="margin: 0 0 24px 0"><a href="{{ template "__alertmanagerURL" . }}"
        style="padding: 8px 16px; background: #2459a8; color: #ffffff; text-decoration: none">
        {{- "View in " }}{{ template "__alertmanager" . }}</a></p>
        {{- with .Alerts.Firing }}
        <h2 style="margin: 0 0 12px 0; font-size: 16px">[{{ len . }}] Firing</h2>
        {{- template "__mail_alerts" . }}
        {{- end }}
        {{- if and .Alerts.Firing .Alerts.Resolved }}
        <hr style="margin: 8px 0 24px 0; border: 0; border-top: 1px solid #d5d9df">
        {{- end }}
        {{- with .Alerts.Resolved }}
        <h2 style="margin: 0 0 12px 0; font-size: 16px">[{{ len . }}] Resolved</h2>
        {{- template "__mail_alerts" . }}
        {{- end }}
        </td></tr>
        <tr><td style="padding: 12px 24px; font-size: 12px; border-top: 1px solid #d5d9df">
        <a href="{{ .ExternalURL }}" style="color: #6a7280">Sent by {{ template "__alertmanager" . }}</a>
        </td></tr>
        </table>
        </body>
        </html>
        {{- end -}}
        """#
}
