@export()
@description('Tags of a resource.')
type tagsType = {
  @description('A tag.')
  *: string
}

@export()
@description('Who may read and write the data beside the app: a developer. Empty strings: no such access.')
type developerType = {
  @description('Object id.')
  principalId: string

  @description('What the id is.')
  principalType: 'User' | 'Group' | 'ServicePrincipal'
}
