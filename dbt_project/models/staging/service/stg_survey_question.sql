with source as (

    select * from {{ source('raw', 'survey_question') }}

),

typed as (

    select
        id as survey_question_id,
        survey_id,
        sequence,
        kind as question_kind,
        text
    from source
    where deleted_at is null

)

select * from typed
