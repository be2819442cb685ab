enum _NotifyPlaceholder {}
