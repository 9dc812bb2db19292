create domain pgtrail.safe_error as text
    constraint error_is_of_the_safe_vocabulary check (value is null or value = pgtrail.safe_error(value));
comment on domain pgtrail.safe_error is
    'What went wrong, in words of pgtrail.safe_error() and nothing else: <context>.<kind>.';
