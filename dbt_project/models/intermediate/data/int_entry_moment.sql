{{- config(meta={'increment': {'sum': ['row_count']}}) -}}
with entry as (

    select * from {{ ref('int_entry') }}

),

counted as (

    select
        crm_table,
        entered_at,
        count(*) as row_count
    from entry
    group by crm_table, entered_at

)

select * from counted
