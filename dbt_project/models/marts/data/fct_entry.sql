{#- So many rows of a table that bear one moment of entry came from an import, whose moment says nothing of people. -#}
{%- set imported_together = 30 -%}
{%- set late_after_days = 7 -%}
{#- Records of others became part of an import, or are no part of one any more. -#}
{%- set anew_if -%}
    select exists (
        from increment.changed_int_entry_moment
        where (row_count_before < {{ imported_together }}) <> (row_count < {{ imported_together }})
    )
{%- endset -%}
{{- config(meta={'increment': {'by': 'record_id', 'of_table_in': 'crm_table', 'anew_if': anew_if}}) -}}
with entry as (

    select * from {{ ref('int_entry') }}

),

imported as (

    select * from {{ ref('int_entry_moment') }}
    where row_count >= {{ imported_together }}

),

counted as (

    select
        entry.*,
        {{ local_date('entry.entered_at') }} as entered_on
    from entry
    left join imported on entry.crm_table = imported.crm_table and entry.entered_at = imported.entered_at
    where imported.crm_table is null

),

entries as (

    select
        concat(crm_table, '-', record_id) as entry_id,
        crm_table,
        record_id,
        project_id,
        employee_id,
        happened_on,
        happened_at,
        entered_on,
        entered_at,
        typed_number,
        {{ dbt.datediff('happened_on', 'entered_on', 'day') }} > {{ late_after_days }} as is_late
    from counted

)

select * from entries
