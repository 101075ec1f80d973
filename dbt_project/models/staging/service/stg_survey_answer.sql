with source as (

    select * from {{ source('raw', 'survey_answer') }}

),

typed as (

    select
        id as survey_answer_id,
        survey_response_id,
        survey_question_id,
        value_number
    from source
    where deleted_at is null

)

select * from typed
