with source as (

    select * from {{ source('raw', 'survey_response') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

counted as (

    select
        source.id as survey_response_id,
        source.survey_id,
        source.survey_invitation_id,
        source.customer_id,
        source.project_id,
        source.employee_id,
        source.submitted_at,
        {{ local_date('source.submitted_at') }} as submitted_on
    from source
    cross join refresh
    where
        source.deleted_at is null
        and source.submitted_at <= refresh.as_of

)

select * from counted
