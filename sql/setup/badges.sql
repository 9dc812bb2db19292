select pgtrail.create_trail('public.badge_evaluation_logs', 'org_id',
    digested => '{badges_evaluated,criteria_outcomes}');
select pgtrail.set_summary(
    'public.badge_evaluation_logs',
    'case when entry.error_message is not null then ''failed'' '
    'when entry.badges_awarded = ''{}'' then ''not_awarded'' else ''awarded'' end');
