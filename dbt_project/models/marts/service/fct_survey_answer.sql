with answers as (

    select * from {{ ref('stg_survey_answer') }}
    where value_number is not null

),

questions as (

    select * from {{ ref('stg_survey_question') }}

),

responses as (

    select * from {{ ref('stg_survey_response') }}

),

surveys as (

    select * from {{ ref('stg_survey') }}

),

survivors as (

    select * from {{ ref('int_customer_survivor') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

answer_facts as (

    select
        answers.survey_answer_id,
        responses.survey_response_id,
        responses.survey_id,
        surveys.survey_name,
        questions.survey_question_id,
        questions.question_kind,
        responses.submitted_on,
        survivors.survivor_id as customer_id,
        responses.project_id,
        responses.employee_id,
        departments_then.department_id,
        answers.value_number
    from answers
    inner join questions on answers.survey_question_id = questions.survey_question_id
    inner join responses on answers.survey_response_id = responses.survey_response_id
    inner join surveys on responses.survey_id = surveys.survey_id
    left join survivors on responses.customer_id = survivors.customer_id
    {{ join_department_at('departments', 'departments_then', 'responses.employee_id', 'responses.submitted_on') }}

)

select * from answer_facts
